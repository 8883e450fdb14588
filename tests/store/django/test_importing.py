"""Taking a dump in: what comes of each row, that it comes once, and what is refused."""

import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pombal.model import changes
from pombal.model.clock import system_clock
from pombal.model.contact import Contact
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.model.session import LinkKind
from pombal.model.times import iso
from pombal.store.django.importing import import_dump
from pombal.store.django.report import ImportReport
from pombal.store.django.rows import Origins, session_id
from pombal.store.message_queries import list_messages
from pombal.store.message_ways import MessageFilter
from pombal.store.offline import check_database
from pombal.store.writer import Writer
from tests.store.building import TABLES, Store, dump, queue, receive
from tests.store.django.dumps import inbound, message, session, written

BRASILIA = timezone(timedelta(hours=-3))


class Target:
    """A database that dumps are taken into."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "pombal.db"
        self.refused: list[dict[str, Any]] = []

    def take(self, *rows: Any, zone: tzinfo = UTC, source: str = "django") -> ImportReport:
        return self.take_file(written(self.directory / "dump.json", *rows), zone, source)

    def take_file(self, path: Path, zone: tzinfo = UTC, source: str = "django") -> ImportReport:
        origins = Origins(source=source, zone=zone, link=LinkKind.WEB)
        self.refused = []
        told: list[tuple[int, int]] = []
        report = import_dump(
            path, self.path, origins, progress=lambda done, total: told.append((done, total)),
            on_refused=self.refused.append,
        )  # fmt: skip
        assert told == sorted(told)
        assert all(done <= total for done, total in told)
        return report

    @property
    def whole(self) -> bool:
        return check_database(self.path, progress=lambda step: None) == []

    def contents(self) -> dict[str, list[Any]]:
        connection = sqlite3.connect(self.path)
        try:
            return dump(connection, TABLES)
        finally:
            connection.close()

    def store(self) -> Store:
        """As the daemon would open it afterwards."""
        store = Store(self.path)
        store.clock.wall_ms = system_clock().wall_ms
        return store

    def message(self, message_id: str = "3EB0C767D097B7C7C030", pk: Any = 1) -> MessageRow:
        store = self.store()
        try:
            key = store.one("SELECT key FROM sessions WHERE id = ?", session_id("django", str(pk)))
            return store.message(key, message_id)
        finally:
            store.close()

    def one(self, sql: str, *parameters: Any) -> Any:
        store = self.store()
        try:
            return store.one(sql, *parameters)
        finally:
            store.close()


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


def counted(report: ImportReport) -> tuple[dict[str, int], dict[str, int], int]:
    return dict(report.sessions), dict(report.messages), report.refused


class TestSessions:
    def test_comes_in_stopped_with_its_owner_and_what_was_counted(self, target: Target) -> None:
        assert counted(target.take(session(total_messages_sent=12, total_messages_received=34))) == (
            {"added": 1},
            {},
            0,
        )
        store = target.store()
        (row,) = store.rows(
            "SELECT name, owner, link, status, status_reason, is_active, device_name, phone_number, connected_at, "
            "total_messages_sent, total_messages_received, error_count FROM sessions"
        )
        store.close()
        assert row[:8] == ("7", "7", "web", "disconnected", "stopped", 0, "Atendimento", "5511999999999")
        assert iso(row[8]) == "2025-11-20T12:00:00.123Z"
        assert row[9:] == (12, 34, 2)
        assert target.whole

    def test_is_told_as_created(self, target: Target) -> None:
        target.take(session(), message())
        assert target.one("SELECT json_group_array(type) FROM events") == '["session.created"]'

    @pytest.mark.parametrize(
        ("usuario", "owner", "name"),
        [(7, "7", "7"), ("7f3c", "7f3c", "7f3c"), (["maria"], "maria", "maria"), (["Maria"], "Maria", "maria"),
         (["acme", "maria"], "acme/maria", "acme-maria-1"), ("maria@acme.com.br", "maria@acme.com.br",
         "maria-acme.com.br-1"), ("start", "start", "start-1"), ("çã", "çã", "1")],
    )  # fmt: skip
    def test_is_called_as_its_owner(self, target: Target, usuario: Any, owner: str, name: str) -> None:
        target.take(session(usuario=usuario))
        assert target.one("SELECT owner FROM sessions") == owner
        assert target.one("SELECT name FROM sessions") == name

    def test_several_of_one_owner_have_names_of_their_own(self, target: Target) -> None:
        target.take(session(1), session(2), session(3))
        assert target.one("SELECT json_group_array(name) FROM sessions") == '["7","7-2","7-3"]'

    def test_keeps_its_name_from_one_that_is_there(self, target: Target) -> None:
        store = target.store()
        store.session("7")
        store.close()
        target.take(session())
        assert target.one("SELECT json_group_array(name) FROM sessions") == '["7","7-1"]'

    @pytest.mark.parametrize("pk", [1, "1", "9b2d1c9e-9a52-4f0e-8f43-1ad1c6bd0a1e"])
    def test_is_known_again_by_any_kind_of_key(self, target: Target, pk: Any) -> None:
        target.take(session(pk), message(session=pk))
        assert counted(target.take(session(pk), message(session=pk))) == ({"known": 1}, {"known": 1}, 0)

    def test_of_two_apps_are_two(self, target: Target) -> None:
        target.take(session(), message())
        report = target.take(session(), message(), source="other")
        assert counted(report) == ({"added": 1}, {"added": 1}, 0)
        assert target.whole

    def test_what_was_changed_here_stays(self, target: Target) -> None:
        target.take(session())
        store = target.store()
        key = store.one("SELECT key FROM sessions")
        store.do(changes.UpdateSession(at=store.clock(), session_key=key, fields={"owner": "other"}))
        store.close()
        target.take(session())
        assert target.one("SELECT owner FROM sessions") == "other"

    def test_once_deleted_does_not_come_back(self, target: Target) -> None:
        target.take(session())
        store = target.store()
        store.do(changes.DeleteSession(at=store.clock(), session_key=1, messages_deleted=0))
        store.close()
        report = target.take(session(), message())
        assert [row["reason"] for row in target.refused] == [
            "its session was imported before, and has been deleted since"
        ] * 2
        assert report.refused == 2


class TestMessages:
    def test_keeps_its_stamps_and_counts_in_no_latency(self, target: Target) -> None:
        target.take(session(), message())
        row = target.message()
        assert (row.origin, row.status, row.direction) == (
            Origin.HISTORY, MessageStatus.READ, Direction.OUTBOUND,
        )  # fmt: skip
        assert [iso(at) for at in (row.queued_at, row.sent_at, row.delivered_at, row.read_at) if at] == [
            "2025-11-20T12:00:00.000Z", "2025-11-20T12:00:00.250Z", "2025-11-20T12:00:01.000Z",
            "2025-11-20T12:01:00.000Z",
        ]  # fmt: skip
        assert (row.total_latency_ms, row.is_latency_acceptable) == (None, None)
        assert target.one("SELECT sum(measured) + sum(late) FROM latency_rollups") == 0
        assert target.one("SELECT count(*) FROM latency_histograms") == 0
        assert target.whole

    def test_of_years_leave_no_minutes_to_be_forgotten(self, target: Target) -> None:
        target.take(session(), *(message(n, message_id=f"M{n}") for n in range(3)))
        assert target.one("SELECT count(*) FROM latency_rollups WHERE span_s = 60") == 0
        assert target.one("SELECT sum(messages) FROM latency_rollups WHERE span_s = 3600 AND session_key = 0") == 3
        assert target.whole

    def test_inbound(self, target: Target) -> None:
        target.take(session(), inbound(queued_at="2025-11-20T12:00:02Z", sent_at="2025-11-20T12:00:00Z"))
        row = target.message()
        assert (row.direction, row.status, row.queued_at) == (Direction.INBOUND, MessageStatus.DELIVERED, None)
        assert iso(row.happened_at) == "2025-11-20T12:00:00.000Z"
        assert iso(row.received_at or 0) == "2025-11-20T12:00:02.000Z"
        assert target.one("SELECT total_messages_received FROM sessions") == 1

    def test_is_found_by_search_contact_and_time(self, target: Target) -> None:
        target.take(session(), message())
        store = target.store()
        for wanted in (
            MessageFilter(search="ola ajudar"), MessageFilter(search="joao"),
            MessageFilter(contact_number="5511988888888"), MessageFilter(origin=Origin.HISTORY),
        ):  # fmt: skip
            assert len(list_messages(store.connection, wanted)) == 1
        store.close()

    @pytest.mark.parametrize(
        ("chat_id", "contact_number", "chat", "number"),
        [
            ("5511988888888@c.us", None, "5511988888888@s.whatsapp.net", "5511988888888"),
            ("551188888888@s.whatsapp.net", None, "551188888888@s.whatsapp.net", "5511988888888"),
            ("5511988888888:12@s.whatsapp.net", None, "5511988888888@s.whatsapp.net", "5511988888888"),
            ("551188888888", None, "5511988888888@s.whatsapp.net", "5511988888888"),
            ("+55 (11) 8888-8888", None, "5511988888888@s.whatsapp.net", "5511988888888"),
            (None, "5511988888888@c.us", "5511988888888@s.whatsapp.net", "5511988888888"),
            ("", 5511988888888, "5511988888888@s.whatsapp.net", "5511988888888"),
            ("123456789@lid", "551188888888", "123456789@lid", "5511988888888"),
            ("status@broadcast", "n/a", "status@broadcast", None),
        ],
    )
    def test_with_whom(self, target: Target, chat_id: Any, contact_number: Any, chat: str, number: str | None) -> None:
        target.take(session(), message(chat_id=chat_id, contact_number=contact_number))
        row = target.message()
        assert (row.chat_id, row.participant) == (chat, "")
        if number is not None:
            assert row.contact_number == number

    def test_of_someone_known_already_lie_in_their_one_chat(self, target: Target) -> None:
        target.take(session())
        store = target.store()
        contact = Contact("5511988888888", "551188888888@s.whatsapp.net", "77@lid", "Jo")
        store.do(changes.LearnContacts(at=store.clock(), session_key=1, contacts=(contact,), message_ids=()))
        store.close()
        target.take(session(), message(), message(2, message_id="B", chat_id="77@lid", contact_number=None))
        for row in (target.message(), target.message("B")):
            assert (row.chat_id, row.contact_number, row.contact_lid) == (
                "551188888888@s.whatsapp.net", "5511988888888", "77@lid",
            )  # fmt: skip
        assert target.message("B").contact_name == "João"

    def test_in_a_group_inbound_has_who_wrote_it(self, target: Target) -> None:
        target.take(session(), inbound(chat_id="120363000000000000@g.us"))
        assert target.message().participant == "5511988888888@s.whatsapp.net"

    @pytest.mark.parametrize(
        ("given", "message_id", "link_id"),
        [
            ("3EB0C7", "3EB0C7", "3EB0C7"),
            ("true_5511988888888@c.us_3EB0C7", "true_5511988888888@c.us_3EB0C7", "3EB0C7"),
            ("false_1203@g.us_3EB0C7_551188@c.us", "false_1203@g.us_3EB0C7_551188@c.us", "3EB0C7"),
            (None, "django-5", "django-5"),
            ("", "django-5", "django-5"),
            ("with blanks", "django-5", "with blanks"),
            ("x" * 129, "django-5", "x" * 129),
        ],
    )
    def test_ids(self, target: Target, given: Any, message_id: str, link_id: str) -> None:
        target.take(session(), message(5, message_id=given))
        assert target.message(message_id).link_id == link_id

    def test_what_was_waiting_is_uncertain_and_never_sent_by_itself(self, target: Target) -> None:
        report = target.take(session(), message(status="queued", sent_at=None, delivered_at=None, read_at=None))
        row = target.message()
        assert (row.status, row.error_kind) == (MessageStatus.UNCERTAIN, "unanswered")
        assert target.one("SELECT count(*) FROM messages WHERE status = 'queued'") == 0
        assert sum(report.remarks.values()) == 1

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"status": "FAILED"}, "failed"), ({"status": "error"}, "failed"), ({"status": "sent"}, "sent"),
            ({"status": ""}, "read"), ({"status": None, "read_at": None}, "delivered"),
            ({"direction": "inbound", "status": "pending"}, "delivered"),
            ({"direction": "inbound", "status": "read"}, "read"),
        ],
    )  # fmt: skip
    def test_statuses(self, target: Target, fields: dict[str, Any], status: str) -> None:
        target.take(session(), message(**fields))
        assert target.message().status == status
        assert target.whole

    def test_unknown_types_are_kept_as_unknown(self, target: Target) -> None:
        report = target.take(session(), message(message_type="poll"), message(2, message_id="B", message_type="IMAGE"))
        assert target.message().message_type == MessageType.UNKNOWN
        assert target.message("B").message_type == MessageType.IMAGE
        assert dict(report.remarks) == {"message_type is none that Pombal has: recorded as unknown": 1}

    @pytest.mark.parametrize(
        ("given", "zone", "told"),
        [
            ("2025-11-20T12:00:00Z", BRASILIA, "2025-11-20T12:00:00.000Z"),
            ("2025-11-20T12:00:00-03:00", UTC, "2025-11-20T15:00:00.000Z"),
            ("2025-11-20T12:00:00.123456", UTC, "2025-11-20T12:00:00.123Z"),
            ("2025-11-20 12:00:00", BRASILIA, "2025-11-20T15:00:00.000Z"),
        ],
    )
    def test_times_with_and_without_a_zone(self, target: Target, given: str, zone: tzinfo, told: str) -> None:
        target.take(session(), message(queued_at=given), zone=zone)
        assert iso(target.message().queued_at or 0) == told

    def test_texts_are_made_storable(self, target: Target) -> None:
        target.take(session(), message(text_content="a\0b\ud83d", contact_name="x" * 5000))
        row = target.message()
        assert row.text_content == "a\ufffdb\ufffd"
        assert len(row.contact_name or "") == 256

    def test_may_stand_before_their_session_and_in_a_file_of_their_own(self, target: Target) -> None:
        assert counted(target.take(message(), session())) == ({"added": 1}, {"added": 1}, 0)
        assert counted(target.take(message(2, message_id="B"))) == ({}, {"added": 1}, 0)

    def test_totals_are_not_counted_twice(self, target: Target) -> None:
        """The app had counted the messages that come in, and others that it has deleted since."""
        rows = [message(n, message_id=f"M{n}") for n in range(3)]
        target.take(session(total_messages_sent=2, total_messages_received=5), *rows, inbound(9, message_id="I"))
        assert target.one("SELECT total_messages_sent FROM sessions") == 3
        assert target.one("SELECT total_messages_received FROM sessions") == 5
        assert target.whole
        store = target.store()
        store.do(receive(store.clock(), 1, "live"))
        store.close()
        assert target.one("SELECT total_messages_received FROM sessions") == 6
        assert target.whole


class TestAgain:
    def test_a_second_run_changes_nothing(self, target: Target) -> None:
        rows = [session(), message(), inbound(2, message_id="B"), message(3, message_id=None, status="failed")]
        target.take(*rows)
        before = target.contents()
        assert counted(target.take(*rows)) == ({"known": 1}, {"known": 3}, 0)
        assert target.contents() == before

    def test_a_later_dump_moves_messages_on(self, target: Target) -> None:
        unread = {"delivered_at": None, "read_at": None}
        target.take(session(), message(status="sent", **unread), inbound(2, message_id="B"),
                    message(3, message_id="C", status="queued", sent_at=None, **unread))  # fmt: skip
        later = [message(), inbound(2, message_id="B", status="read", read_at="2025-11-21T00:00:00Z"),
                 message(3, message_id="C", status="failed", sent_at=None, **unread)]  # fmt: skip
        assert counted(target.take(session(), *later)) == ({"known": 1}, {"moved_on": 3}, 0)
        row = target.message()
        assert (row.status, iso(row.read_at or 0)) == (MessageStatus.READ, "2025-11-20T12:01:00.000Z")
        assert target.message("B").status == MessageStatus.READ
        assert (target.message("C").status, target.message("C").error_kind) == (MessageStatus.FAILED, "failed")
        assert target.one("SELECT total_messages_sent FROM sessions") == 1
        assert target.one("SELECT total_messages_failed FROM sessions") == 1
        assert target.whole
        assert counted(target.take(session(), *later)) == ({"known": 1}, {"known": 3}, 0)

    def test_an_older_dump_takes_nothing_back(self, target: Target) -> None:
        target.take(session(), message())
        before = target.contents()
        target.take(session(), message(status="sent"))
        assert target.contents() == before

    def test_what_was_sent_here_is_another_message_or_the_same(self, target: Target) -> None:
        target.take(session())
        store = target.store()
        store.do(queue(store.clock(), 1, "mine", chat_id="5511988888888@s.whatsapp.net"))
        store.writer.spread_rollups()
        store.close()
        before = target.contents()
        report = target.take(
            session(), message(message_id="mine"), message(2, message_id="mine", chat_id="5511777777777@c.us")
        )
        assert counted(report) == ({"known": 1}, {"known": 1}, 1)
        assert target.refused[0]["reason"] == "its message_id is that of another message of the session"
        assert target.contents() == before


class TestRefused:
    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (session(None), "it has no pk: export without --natural-primary"),
            (session(usuario=None), "it has no usuario"),
            (session(usuario={}), "usuario is neither a key nor a natural key"),
            (session(total_messages_sent=-1), "total_messages_sent is no count"),
            (session(total_messages_sent=2**63), "total_messages_sent is no count"),
            (session(connected_at="yesterday"), "connected_at is no time"),
            (message(session=None), "it names no session"),
            (message(session=99), "its session is neither in this dump nor imported before"),
            (message(direction="sideways"), "direction is neither inbound nor outbound"),
            (message(direction=3), "direction is neither inbound nor outbound"),
            (message(status="lost"), "status is none that Pombal knows"),
            (message(chat_id=None, contact_number=None), "neither chat_id nor contact_number says with whom"),
            (message(chat_id="?", contact_number="?"), "neither chat_id nor contact_number says with whom"),
            (message(queued_at="0001-01-01T00:00:00"), "queued_at lies outside of 1970 to 9999"),
            (message(queued_at=17), "queued_at is no time"),
            (message(text_content={"a": 1}), "text_content is no text"),
            (message(None, message_id=None), "it has neither a usable message_id nor a pk"),
            (message(queued_at=None, sent_at=None, delivered_at=None, read_at=None), "it has no time at all"),
            ({"model": "whatsapp.whatsappmessage"}, "it is no row of Django's: model and fields are missing"),
            ({"no": "model"}, "it is no row of Django's: model and fields are missing"),
        ],
    )
    def test_with_line_key_and_reason_and_the_others_come_in(
        self, target: Target, row: dict[str, Any], reason: str
    ) -> None:
        report = target.take(session(), row, message(51, message_id="ok"))
        assert counted(report) == ({"added": 1}, {"added": 1}, 1)
        (refused,) = target.refused
        assert (refused["line"], refused["reason"]) == (2, reason)
        assert refused["pk"] == (None if row.get("pk") is None else str(row["pk"]))
        assert report.object()["reasons"][0]["rows"] == 1
        assert target.one("SELECT count(*) FROM rejected") == 0

    def test_no_json_is_told_once(self, target: Target) -> None:
        (target.directory / "d.json").write_text('[{"model": oops},\n{"model": "auth.user", "pk": 1, "fields": {}}]')
        report = target.take_file(target.directory / "d.json")
        assert [(row["line"], row["reason"]) for row in target.refused] == [(1, "it is no JSON")]
        assert dict(report.ignored_models) == {"auth.user": 1}

    def test_other_fields_are_counted_and_left_out(self, target: Target) -> None:
        report = target.take(
            session(qr_code="secret"), message(media_url="x"), message(2, message_id="B", media_url="y")
        )
        assert dict(report.ignored_fields) == {
            "whatsapp.whatsappmessage.media_url": 2, "whatsapp.whatsappsession.qr_code": 1,
        }  # fmt: skip

    def test_the_report_stays_small_whatever_is_wrong(self, target: Target) -> None:
        rows = [{"model": f"app.model{n}", "pk": n, "fields": {}} for n in range(300)]
        report = target.take(session(), *rows, *(message(n, session=n + 5) for n in range(300)))
        assert len(report.object()["ignored_models"]) == 101
        assert report.object()["reasons"][0]["rows"] == 300
        assert len(report.object()["reasons"][0]["first"]) == 5
        assert len(target.refused) == 300


def test_fifty_thousand_messages(target: Target) -> None:
    """In batches, with a bounded part of the file in memory, in time that is no matter of the day."""
    random_ = random.Random(4)
    rows = [session(n, usuario=n) for n in range(20)]
    rows += [
        message(n, session=random_.randrange(20), message_id=f"M{n}", text_content="palavra " * random_.randrange(30))
        for n in range(50_000)
    ]
    report = target.take(*rows)
    assert counted(report) == ({"added": 20}, {"added": 50_000}, 0)
    assert target.one("SELECT count(*) FROM messages") == 50_000
    assert target.one("SELECT sum(total_messages_sent) FROM sessions") == 50_000


def test_an_import_that_fails_in_its_midst_is_gone_on_with(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [session(), *(message(n, message_id=f"M{n}") for n in range(2500))]
    commit: Callable[..., Any] = Writer.commit
    calls = []

    def fail_late(writer: Any, batch: Any) -> Any:
        calls.append(len(batch))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return commit(writer, batch)

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "commit", fail_late)
        with pytest.raises(KeyboardInterrupt):
            target.take(*rows)
    assert target.one("SELECT count(*) FROM messages") == 1000
    assert target.whole
    assert counted(target.take(*rows)) == ({"known": 1}, {"known": 1000, "added": 1500}, 0)
    assert target.whole


anything: Any = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.integers(), max_size=2)
some_fields = st.dictionaries(
    st.sampled_from(
        ["session", "message_id", "direction", "message_type", "chat_id", "contact_number", "contact_name",
         "text_content", "status", "queued_at", "sent_at", "delivered_at", "read_at"]
    ),
    anything | st.sampled_from(["inbound", "queued", "read", "551188888888@c.us", "x@g.us", "2025-01-01T00:00:00"]),
    max_size=6,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(some_fields, max_size=12), cut=st.integers(0, 12))
def test_whatever_comes_each_row_is_added_or_refused_once_and_the_database_is_whole(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], cut: int
) -> None:
    """Part of a dump, the whole dump, the whole dump again: the same as the whole dump at once."""
    whole = [session(), *(message(n, **({"message_id": f"M{n}"} | fields)) for n, fields in enumerate(rows))]
    target = Target(tmp_path_factory.mktemp("parts"))
    target.take(*whole[: 1 + cut])
    report = target.take(*whole)
    assert sum(report.messages.values()) + report.refused == len(rows)
    before = target.contents()
    again = target.take(*whole)
    assert again.messages["added"] == again.messages["moved_on"] == 0
    assert target.contents() == before
    assert target.whole
    at_once = Target(tmp_path_factory.mktemp("whole"))
    at_once.take(*whole)
    assert at_once.one("SELECT count(*) FROM messages") == target.one("SELECT count(*) FROM messages")
