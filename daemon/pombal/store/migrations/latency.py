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
