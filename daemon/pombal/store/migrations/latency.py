"""Latency rollups; see rollups.py."""

from sqlite_utils import Database


def m0005_latency(db: Database) -> None:
    # One row a session (0: all of them), span (a minute, an hour, a day) and measure; see rollups.py.
    db.execute(
        """
        CREATE TABLE latency_rollups (
            session_key INTEGER NOT NULL,
            span_s INTEGER NOT NULL,
            starts_at INTEGER NOT NULL,
            measure TEXT NOT NULL,
            messages INTEGER NOT NULL,
            measured INTEGER NOT NULL,
            late INTEGER NOT NULL,
            sum_ms INTEGER NOT NULL,
            max_ms INTEGER NOT NULL,
            PRIMARY KEY (session_key, span_s, starts_at, measure)
        ) STRICT, WITHOUT ROWID
        """
    )
    db.execute(
        """
        CREATE TABLE latency_histograms (
            session_key INTEGER NOT NULL,
            span_s INTEGER NOT NULL,
            starts_at INTEGER NOT NULL,
            measure TEXT NOT NULL,
            bucket INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (session_key, span_s, starts_at, measure, bucket)
        ) STRICT, WITHOUT ROWID
        """
    )


def m0012_weeks(db: Database) -> None:
    """Adds up the days that there are: seconds for each thousand sessions and year."""
    # The statistics of a month, of a few sessions, are put together from weeks: a fifth of the rows.
    week = "starts_at - starts_at % 604800000"
    db.execute(
        f"""
        INSERT INTO latency_rollups SELECT session_key, 604800, {week}, measure, sum(messages), sum(measured),
            sum(late), sum(sum_ms), max(max_ms) FROM latency_rollups WHERE span_s = 86400 GROUP BY 1, 3, 4
        """
    )
    db.execute(
        f"""
        INSERT INTO latency_histograms SELECT session_key, 604800, {week}, measure, bucket, sum(count)
        FROM latency_histograms WHERE span_s = 86400 GROUP BY 1, 3, 4, 5
        """
    )


def m0017_rollups_of_owners(db: Database) -> None:
    """Adds up the rollups of all sessions: some ten seconds for each million messages."""
    # An owner's sums stand under its key, negated, beside those of each session and of all (0): so the statistics of an
    # owner take no longer with a hundred sessions than with one.
    db.execute("CREATE TABLE owners (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT")
    db.execute("INSERT INTO owners (name) SELECT DISTINCT owner FROM sessions ORDER BY key")
    of_owners = "FROM {0} AS r JOIN sessions AS s ON s.key = r.session_key JOIN owners AS o ON o.name = s.owner"
    db.execute(
        f"""
        INSERT INTO latency_rollups SELECT -o.key, span_s, starts_at, measure, sum(messages), sum(measured), sum(late),
            sum(sum_ms), max(max_ms) {of_owners.format("latency_rollups")} GROUP BY 1, 2, 3, 4
        """
    )
    db.execute(
        f"""
        INSERT INTO latency_histograms SELECT -o.key, span_s, starts_at, measure, bucket, sum(count)
        {of_owners.format("latency_histograms")} GROUP BY 1, 2, 3, 4, 5
        """
    )
    learn = "INSERT OR IGNORE INTO owners (name) VALUES (new.owner);"
    db.execute(f"CREATE TRIGGER owners_insert AFTER INSERT ON sessions BEGIN {learn} END")
    db.execute(
        f"""
        CREATE TRIGGER owners_change AFTER UPDATE OF owner ON sessions WHEN old.owner <> new.owner BEGIN
            {learn} {_given("new")} {_taken_away("old")}
        END
        """
    )


def m0020_recent_latencies(db: Database) -> None:
    # What transactions learn is gathered by minute, before it is spread over four spans; see rollups.py. Latencies
    # have their bucket, numbers of messages have -2, since a primary key cannot be without a value.
    db.execute(
        """
        CREATE TABLE latency_recent (
            session_key INTEGER NOT NULL,
            starts_at INTEGER NOT NULL,
            measure TEXT NOT NULL,
            bucket INTEGER NOT NULL,
            messages INTEGER NOT NULL,
            measured INTEGER NOT NULL,
            late INTEGER NOT NULL,
            sum_ms INTEGER NOT NULL,
            max_ms INTEGER NOT NULL,
            PRIMARY KEY (session_key, starts_at, measure, bucket)
        ) STRICT, WITHOUT ROWID
        """
    )


def m0021_versions_of_rollups(db: Database) -> None:
    # Whoever remembers what is spread asks whether it has changed; see rollup_parts.py. Whatever changes a span changes
    # its week, but for minutes that are forgotten, of which nobody is told.
    db.execute("CREATE TABLE latency_versions (session_key INTEGER PRIMARY KEY, version INTEGER NOT NULL) STRICT")
    for change, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
        db.execute(
            f"""
            CREATE TRIGGER latency_versions_{change.lower()} AFTER {change} ON latency_rollups
            WHEN {row}.span_s = 604800 BEGIN
                INSERT INTO latency_versions VALUES ({row}.session_key, 1)
                ON CONFLICT DO UPDATE SET version = version + 1;
            END
            """
        )


def _key_of(owner: str) -> str:
    return f"(SELECT -key FROM owners WHERE name = {owner}.owner)"


def _given(owner: str) -> str:
    """What a session has learnt is its new owner's too."""
    return f"""
        INSERT INTO latency_rollups SELECT {_key_of(owner)}, span_s, starts_at, measure, messages, measured, late,
            sum_ms, max_ms FROM latency_rollups WHERE session_key = new.key
        ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, measured = measured + excluded.measured,
            late = late + excluded.late, sum_ms = sum_ms + excluded.sum_ms, max_ms = max(max_ms, excluded.max_ms);
        INSERT INTO latency_histograms SELECT {_key_of(owner)}, span_s, starts_at, measure, bucket, count
        FROM latency_histograms WHERE session_key = new.key ON CONFLICT DO UPDATE SET count = count + excluded.count;
    """


def _taken_away(owner: str) -> str:
    """And no longer the old one's; the greatest is looked for again only where it may have been this session's."""
    same = "{0}.span_s = {1}.span_s AND {0}.starts_at = {1}.starts_at AND {0}.measure = {1}.measure"
    left = f"""
        SELECT max(r.max_ms) FROM sessions AS s CROSS JOIN latency_rollups AS r
        WHERE s.owner = {owner}.owner AND r.session_key = s.key AND {same.format("r", "gone")}
    """
    return f"""
        UPDATE latency_rollups SET messages = latency_rollups.messages - gone.messages,
            measured = latency_rollups.measured - gone.measured, late = latency_rollups.late - gone.late,
            sum_ms = latency_rollups.sum_ms - gone.sum_ms,
            max_ms = iif(latency_rollups.max_ms > gone.max_ms, latency_rollups.max_ms, coalesce(({left}), 0))
        FROM latency_rollups AS gone WHERE gone.session_key = new.key
            AND latency_rollups.session_key = {_key_of(owner)} AND {same.format("latency_rollups", "gone")};
        UPDATE latency_histograms SET count = latency_histograms.count - gone.count
        FROM latency_histograms AS gone WHERE gone.session_key = new.key
            AND latency_histograms.session_key = {_key_of(owner)}
            AND {same.format("latency_histograms", "gone")} AND latency_histograms.bucket = gone.bucket;
    """
