"""Lists of messages: every filter alone and together, searches that are never syntax, pages, and the way to them."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pombal.model import changes
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.model.text import fold
from pombal.store import message_queries, message_ways
from pombal.store import search_terms as search_terms_module
from pombal.store.media_queries import is_announced
from pombal.store.message_queries import (
    count_messages,
    edge_statement,
    list_messages,
    message_by_id,
    message_by_row,
    page_statement,
    queue_depths,
    queued_messages,
)
from pombal.store.message_ways import MessageFilter, Way, conditions, ways, within_bounds
from pombal.store.search_terms import match_expression, search_terms
from pombal.store.text_matching import matching
from tests.store.building import START_MS, Store, queue, reach, receive

SINGLE: dict[str, Any] = {
    "session_keys": (2,),
    "direction": "inbound",
    "message_type": "image",
    "status": "delivered",
    "origin": "device",
    "chat_id": "c1",
    "contact_number": "551100000002",
    "since_ms": START_MS + 60_000,
    "until_ms": START_MS + 60_000,
    "search": "pombo",
    "threshold_ms": 2000,
    "past_id": 60,
}
MORE: dict[str, list[Any]] = {
    "session_keys": [(1, 3), (1, 2, 3), ()],
    "message_type": ["text"],
    "origin": ["api", "history"],
    "status": ["queued", "read"],
    "threshold_ms": [0, 500],
    "search": ["", "açã"],
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """120 messages of all kinds, sessions and times; read only."""
    store = Store(tmp_path_factory.mktemp("queries") / "pombal.db")
    dice = random.Random(7)
    for name in ("one", "two", "three"):
        store.session(name)
    for number in range(120):
        at, key = store.clock.advance(dice.choice([10, 1000, 3000])), dice.choice([1, 2, 3])
        text = dice.choice(["o pombo voa", "AÇÃO", "nada", None, 'say "pombo*" OR x'])
        kind = dice.choice([MessageType.TEXT, MessageType.TEXT, MessageType.IMAGE])
        common = {"chat_id": f"c{number % 3}", "contact_number": dice.choice([None, f"55110000000{number % 4}"]),
                  "message_type": kind}  # fmt: skip
        if number % 2:
            store.do(queue(at, key, f"m{number}", text, **common))
            if status := dice.choice(
                [None, MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ, MessageStatus.FAILED]
            ):
                later = store.clock.advance(dice.choice([10, 900, 2500]))
                store.do(reach(later, key, f"m{number}", status, error_kind="x"))
        else:
            origin = dice.choice([Origin.API, Origin.API, Origin.DEVICE, Origin.HISTORY])
            direction = Direction.OUTBOUND if origin == Origin.DEVICE else Direction.INBOUND
            sent_at = at.wall_ms - dice.choice([0, 400, 2500, 90_000])
            fields = common | {"offline": dice.random() < 0.2, "contact_name": dice.choice([None, "João Pombo"])}
            change = receive(
                at, key, f"x{number}", text, origin=origin, direction=direction, sent_at_ms=sent_at, **fields
            )
            store.do(change)
    yield store
    store.close()


def all_rows(store: Store) -> list[MessageRow]:
    found = [message_by_row(store.connection, row_id) for (row_id,) in store.rows("SELECT id FROM messages")]
    return [row for row in found if row is not None]


def is_wanted(row: MessageRow, wanted: MessageFilter) -> bool:
    for name in ("direction", "message_type", "status", "origin", "chat_id", "contact_number"):
        if getattr(wanted, name) is not None and getattr(row, name) != getattr(wanted, name):
            return False
    past, took_ms = wanted.past_id, row.total_latency_ms
    words = fold(" ".join(filter(None, (row.text_content, row.contact_number, row.contact_name)))).replace('"', " ")
    return (
        (wanted.session_keys is None or row.session_key in wanted.session_keys)
        and (wanted.since_ms is None or row.happened_at >= wanted.since_ms)
        and (wanted.until_ms is None or row.happened_at < wanted.until_ms)
        and (past is None or (row.id > past if wanted.ascending else row.id < past))
        and (
            wanted.threshold_ms is None or (took_ms is not None and took_ms >= wanted.threshold_ms and not row.offline)
        )
        and (wanted.search is None or (wanted.search != "" and f" {fold(wanted.search)}" in f" {words}"))
    )


def expected(store: Store, wanted: MessageFilter) -> list[int]:
    rows = [row.id for row in all_rows(store) if is_wanted(row, wanted)]
    return sorted(rows, reverse=not wanted.ascending)[: wanted.limit]


def listed(store: Store, wanted: MessageFilter) -> list[int]:
    return [row.id for row in list_messages(store.connection, wanted)]


each_filter = [(name, value) for name in SINGLE for value in (SINGLE[name], *MORE.get(name, []))]


@pytest.mark.parametrize(("name", "value"), each_filter)
@pytest.mark.parametrize("ascending", [False, True])
def test_each_filter_alone(filled: Store, name: str, value: Any, ascending: bool) -> None:
    wanted = MessageFilter(**{name: value}, ascending=ascending, limit=500)
    assert listed(filled, wanted) == expected(filled, wanted)
    assert count_messages(filled.connection, wanted) == len(expected(filled, wanted))
    if name not in ("session_keys", "search"):
        assert expected(filled, wanted)


combinations = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from([SINGLE[name], *MORE.get(name, [])]) for name in SINGLE}
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    combinations, st.booleans(), st.integers(1, 20), st.sampled_from([1, 5, 1000]), st.booleans(),
    st.sampled_from([0, 12]),
)  # fmt: skip
def test_filters_together(
    filled: Store, fields: dict[str, Any], ascending: bool, limit: int, steps: int, gathered: bool, a_step: int
) -> None:
    """By whichever way, in however many looks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_queries, "FIRST_LOOK", steps)
        patch.setattr(message_queries, "FIRST_TEXTS", steps)
        patch.setattr(message_queries, "LEAST_STEPS", 1)
        patch.setattr(message_queries, "GATHERED_A_STEP", a_step)
        if gathered:
            patch.setattr(search_terms_module, "WORDS_NAMED", 0)
        wanted = MessageFilter(**fields, ascending=ascending, limit=limit)
        assert listed(filled, wanted) == expected(filled, wanted)


def test_more_sessions_than_are_merged(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_ways, "MERGED_SESSIONS", 1)
    wanted = MessageFilter(session_keys=(1, 3), limit=500)
    assert listed(filled, wanted) == expected(filled, wanted)


def test_as_many_sessions_as_are_merged(filled: Store) -> None:
    """SQLite has limits on terms and on parameters of one statement."""
    keys = tuple(range(1, message_ways.MERGED_SESSIONS + 1))
    fields = {name: SINGLE[name] for name in SINGLE if name not in ("session_keys", "search")}
    assert listed(filled, MessageFilter(**fields, session_keys=keys)) == []
    assert len(listed(filled, MessageFilter(session_keys=keys, limit=500))) == 120


class TestSearch:
    @pytest.fixture
    def one(self, store: Store) -> Callable[[str], Callable[[str], bool]]:
        key = store.session().key

        def stored(text: str) -> Callable[[str], bool]:
            row = store.do(receive(store.clock(), key, f"x{store.writer.last_seq}", text, contact_name="Zé da Silva"))
            return lambda search: row.id in listed(store, MessageFilter(search=search))

        return stored

    @pytest.mark.parametrize(
        "search",
        ["SAO", "são", "sa\u0303o paul", "paul SÃO", "5511888", "ze silv", "são zé 5511", '"são"', "são*", "(são)",
         "são:", "-são", "^são", "🕊 são", "são\0paulo", " \t são\n"],
    )  # fmt: skip
    def test_finds_prefixes_of_words_in_any_column_and_spelling(self, one: Any, search: str) -> None:
        assert one("viva São Paulo")(search)

    @pytest.mark.parametrize(
        "search",
        ["ão", "são rio", "OR", "são OR rio", "são NOT paulo", "NEAR(são paulo)", "text_content:são", "", " ", "*", '"',
         '""', "🕊", "( ) : ^ - +", "\0", "'; DROP TABLE messages; --"],
    )  # fmt: skip
    def test_finds_nothing_else_and_is_never_syntax(self, one: Any, search: str) -> None:
        assert not one("viva São Paulo")(search)

    def test_words_that_are_operators_elsewhere_are_words_here(self, one: Any) -> None:
        assert one("this or that AND not NEAR")("OR and NOT near")

    def test_words_joined_by_punctuation_are_a_phrase(self, one: Any) -> None:
        found = one("o pedido 4711-3 e user@example.org")
        assert found("4711-3")
        assert found("user@exam")
        assert not found("3-4711")

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text(st.characters(codec="utf-8"), max_size=256))
    def test_no_text_breaks_a_search(self, filled: Store, search: str) -> None:
        assert isinstance(listed(filled, MessageFilter(search=search)), list)
        assert count_messages(filled.connection, MessageFilter(search=search)) >= 0

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.text("abcçéãÜñß 0189-_.@\"'*():^", min_size=1, max_size=60).filter(
            lambda text: match_expression(text) != '""'
        )
    )
    def test_a_text_is_found_by_itself(self, one: Any, text: str) -> None:
        assert one(text)(text)

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text("abcABçéãÜñßªıø 019-\u0301", min_size=1, max_size=30), st.integers(0, 3))
    def test_words_written_out_find_what_prefixes_find(self, filled: Store, text: str, named: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(search_terms_module, "WORDS_NAMED", named)
            connection = filled.connection
            connection.execute("SAVEPOINT tried")
            connection.execute("UPDATE messages SET text_content = ? WHERE id % 3 = 0", [text])
            for search in (text, text[:1], text[: len(text) // 2]):
                plain, written_out = match_expression(search), match_expression(search, connection)
                found = [
                    connection.execute(
                        "SELECT rowid FROM messages_search WHERE messages_search MATCH ?", [each]
                    ).fetchall()
                    for each in (plain, written_out)
                ]
                assert found[0] == found[1]
                # Nor do texts that are matched one by one say anything else than the index does.
                ids = [row_id for (row_id,) in connection.execute("SELECT id FROM messages ORDER BY id").fetchall()]
                matched = matching(connection, ids, search_terms(search, connection), len(ids))
                assert matched == [row_id for (row_id,) in found[0]]
                # And what was named before is named once.
                more = search_terms(search, connection, 2 * named, search_terms(search, connection))
                assert more == search_terms(search, connection, 2 * named)
            connection.execute("ROLLBACK TO tried")
            connection.execute("RELEASE tried")

    def test_as_many_words_as_fit(self, one: Any) -> None:
        text = " ".join("abcdefgh"[number % 8] for number in range(128))
        assert one(text)(text)


class TestPages:
    @pytest.mark.parametrize("fields", [{}, {"session_keys": (1, 2)}, {"search": "pombo"}, {"direction": "inbound"},
                                        {"since_ms": START_MS - 3000}, {"threshold_ms": 0}])  # fmt: skip
    def test_newest_first_meets_each_once_while_new_ones_arrive(self, store: Store, fields: dict[str, Any]) -> None:
        keys = [store.session("one").key, store.session("two").key]

        def arrive(number: int) -> int:
            at = store.clock.advance(10)
            row = store.do(receive(at, keys[number % 2], f"x{number}", "pombo", sent_at_ms=at.wall_ms - 3000))
            return int(row.id)

        there = [arrive(number) for number in range(23)]
        met, past, number = list[int](), None, 23
        while page := listed(store, MessageFilter(**fields, past_id=past, limit=5)):
            met, past = met + page, page[-1]
            arrive(number)
            number += 1
        assert met == sorted(there, reverse=True)

    def test_oldest_first_meets_those_that_arrive_too(self, store: Store) -> None:
        key, past, met = store.session().key, 0, list[int]()
        for number in range(4):
            store.do(receive(store.clock(), key, f"x{number}"))
        while page := listed(store, MessageFilter(ascending=True, past_id=past, limit=2)):
            met, past = met + page, page[-1]
            if len(met) < 7:
                store.do(receive(store.clock(), key, f"late{len(met)}"))
        assert met == list(range(1, len(met) + 1))
        assert len(met) > 5


class TestPlans:
    """No list may sort, or read through, what it does not show."""

    def plan(self, store: Store, sql: str, parameters: list[Any]) -> list[str]:
        return [row[3] for row in store.connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]

    def ways(self, store: Store, wanted: MessageFilter) -> list[Way]:
        return ways(
            store.connection, wanted, None if wanted.search is None else search_terms(wanted.search, store.connection)
        )

    def plans(self, store: Store, way: Way, wanted: MessageFilter) -> list[list[str]]:
        others = [each for each in conditions(wanted) if each[0] not in way.decides]
        return [
            self.plan(store, *page_statement(way, wanted, others)),
            self.plan(store, *edge_statement(way, wanted, 100)),
        ]

    @pytest.mark.parametrize("ascending", [False, True])
    @pytest.mark.parametrize(("name", "value"), each_filter)
    def test_each_filter_goes_by_an_index_or_in_the_order_of_ids(
        self, filled: Store, name: str, value: Any, ascending: bool
    ) -> None:
        wanted = MessageFilter(**{name: value}, ascending=ascending)
        (way,) = self.ways(filled, wanted)
        for plan in self.plans(filled, way, wanted):
            assert not [step for step in plan if "TEMP B-TREE" in step], plan
            if (name, value) in (("threshold_ms", 0), ("threshold_ms", 500)):
                assert "SCAN m" in plan  # nearly all messages are so slow: the newest of them are among the newest
            else:
                assert "SCAN m" not in plan, plan

    def test_filters_together_go_by_the_index_of_each(self, filled: Store) -> None:
        wanted = MessageFilter(
            session_keys=(1, 2), status="failed", direction="outbound", chat_id="c1", contact_number="551100000002",
            since_ms=START_MS, threshold_ms=5000, search="pombo",
        )  # fmt: skip
        found = [step for way in self.ways(filled, wanted) for plan in self.plans(filled, way, wanted) for step in plan]
        for index in ("messages_by_chat", "messages_by_contact", "messages_by_kind", "messages_by_session"):
            assert [
                step for step in found if f"SEARCH m USING INDEX {index} (" in step or f"COVERING INDEX {index}" in step
            ]
        assert not [step for step in found if "TEMP B-TREE" in step or step == "SCAN m"]

    @pytest.mark.parametrize("ascending", [False, True])
    def test_by_time_no_zone_is_looked_through_beyond_where_the_page_lies(self, filled: Store, ascending: bool) -> None:
        wanted = MessageFilter(since_ms=START_MS, first_id=2_000, last_id=3_999, ascending=ascending)
        (way,) = self.ways(filled, wanted)
        for plan in self.plans(filled, way, wanted):
            assert "SEARCH z USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan

    def test_kinds_are_told_apart_by_first_letters(self) -> None:
        for enumeration in (Direction, MessageStatus, MessageType, Origin):
            assert len({each.value[0] for each in enumeration}) == len(enumeration)

    def test_a_commit_keeps_few_indexes(self, filled: Store) -> None:
        assert filled.one("SELECT count(*) FROM pragma_index_list('messages')") <= 8

    @pytest.mark.parametrize("search", ["pombo", "p"])
    def test_a_page_is_found_by_whichever_way_is_short(
        self, filled: Store, monkeypatch: pytest.MonkeyPatch, search: str
    ) -> None:
        """A way that leads nowhere for long is not gone to its end."""
        steps: list[int] = []
        on = message_queries._Look.on

        def noted(look: Any, count: int, is_in_vain: bool) -> Any:
            steps.append(count)
            return on(look, count, is_in_vain)

        monkeypatch.setattr(message_queries._Look, "on", noted)
        monkeypatch.setattr(message_queries, "FIRST_TEXTS", 8)
        monkeypatch.setattr(message_queries, "LEAST_STEPS", 1)
        monkeypatch.setattr(search_terms_module, "WORDS_NAMED", 0)
        wanted = MessageFilter(search=search, session_keys=(1,), limit=3)
        assert listed(filled, wanted) == expected(filled, wanted)
        assert steps
        assert max(steps) < message_ways.GATHER_FROM

    def test_a_queue_is_read_without_its_history(self, filled: Store) -> None:
        statements: list[str] = []
        filled.connection.set_trace_callback(statements.append)
        queued_messages(filled.connection, 1, 0, 10)
        queue_depths(filled.connection)
        filled.connection.set_trace_callback(None)
        for sql in statements:
            plan = self.plan(filled, sql, [])
            assert any("messages_queued" in step for step in plan)
            assert not [step for step in plan if "TEMP B-TREE" in step]


class TestZones:
    """Ids that messages of a time have, by the thousand."""

    def bounds(self, store: Store, since: int | None, until: int | None) -> tuple[int | None, int | None] | None:
        wanted = MessageFilter(
            since_ms=None if since is None else START_MS + since, until_ms=None if until is None else START_MS + until
        )
        bounded = within_bounds(store.connection, wanted)
        return None if bounded is None else (bounded.first_id, bounded.last_id)

    def test_bounds_hold_all_and_little_more(self, store: Store) -> None:
        key = store.session().key
        for number in range(5):
            store.connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'messages'", [1000 * number + 10])
            store.reopen()
            at = store.clock.advance(60_000)
            store.do(receive(at, key, f"x{number}", sent_at_ms=START_MS + 1000 * number))
        assert self.bounds(store, 2000, None) == (2000, None)
        assert self.bounds(store, 1001, 3000) == (2000, 2999)
        assert self.bounds(store, None, 1) == (None, 999)
        assert self.bounds(store, None, 0) is None
        assert self.bounds(store, 4001, None) is None
        store.do(receive(store.clock(), key, "history", origin=Origin.HISTORY, sent_at_ms=START_MS + 10))
        assert self.bounds(store, None, 1000) == (None, 4999)

    def test_every_message_is_within_its_zone(self, filled: Store) -> None:
        outside = """
            SELECT count(*) FROM messages AS m LEFT JOIN message_zones AS z ON z.zone = m.id / 1000
            WHERE z.zone IS NULL OR m.happened_at NOT BETWEEN z.min_at AND z.max_at
        """
        assert filled.rows(outside) == [(0,)]


def test_queues_come_in_commit_order_from_behind_an_id(store: Store) -> None:
    one, two = store.session("one").key, store.session("two").key
    ids = [store.do(queue(store.clock(), key, f"m{number}")).message.id for number, key in enumerate([one, two] * 5)]
    store.do(reach(store.clock(), one, "m4", MessageStatus.SENT))
    waiting = [row_id for row_id in ids[::2] if row_id != ids[4]]
    assert [row.id for row in queued_messages(store.connection, one, 0, 10)] == waiting
    assert [row.id for row in queued_messages(store.connection, one, waiting[0], 2)] == waiting[1:3]
    assert queue_depths(store.connection) == {one: 4, two: 5}


def test_an_outbound_message_goes_before_an_inbound_one_of_the_same_id(store: Store) -> None:
    key = store.session().key
    store.do(receive(store.clock(), key, "x", message_id="same"))
    found = message_by_id(store.connection, key, "same")
    assert found is not None
    assert found.direction == Direction.INBOUND
    store.do(queue(store.clock(), key, "same"))
    assert store.message(key, "same").direction == Direction.OUTBOUND
    assert message_by_id(store.connection, key, "none") is None
    assert message_by_row(store.connection, 99) is None


def test_a_page_holds_at_most_its_limit(filled: Store) -> None:
    wanted = MessageFilter(limit=7)
    assert len(list_messages(filled.connection, wanted)) == 7
    assert len(list_messages(filled.connection, replace(wanted, session_keys=(1, 2)))) == 7


def test_expired_queues_are_found_by_age(store: Store) -> None:
    key = store.session().key
    store.do(queue(store.clock(), key, "old"))
    at = store.clock.advance(1000)
    store.do(queue(at, key, "young"))
    fail = changes.FailQueue(at=at, session_key=None, error_kind="expired", error_detail="too old", limit=10,
                             queued_before_ms=at.wall_ms)  # fmt: skip
    assert store.do(fail) == 1
    assert (store.message(key, "old").error_kind, store.message(key, "young").status) == ("expired", "queued")


def test_whether_a_message_speaks_of_a_file_is_one_look_into_an_index(store: Store) -> None:
    session = store.session()
    media = {"media": {"sha256": "ab" * 32, "mime_type": "image/png", "size_bytes": 1, "file_name": None}}
    store.commit(
        receive(store.clock(), session.key, "a", message_type=MessageType.IMAGE, content=media),
        receive(store.clock(), session.key, "b", message_type=MessageType.IMAGE, content={"media": "nonsense"}),
    )
    assert is_announced(store.connection, "ab" * 32)
    assert not is_announced(store.connection, "cd" * 32)
    index = store.one("SELECT sql FROM sqlite_master WHERE name = 'messages_by_media'")
    assert "content->>'$.media.sha256'" in index
