"""Bugs that were found and mended, each by its name."""

import pytest

from pombal.config.settings import StoreSettings
from pombal.model import changes, removal_changes
from pombal.model.changes import KeepRejected
from pombal.model.clock import Stamp
from pombal.model.events import show_event
from pombal.model.message import Direction, MessageStatus, Origin
from pombal.model.removal_changes import PurgeMessages
from pombal.store import reader as reader_module
from tests.store.building import START_MS, Store, create, queue, reach, receive

DAY_MS = 86_400_000


def test_a_purge_does_not_take_the_rows_of_other_changes_in_its_batch(store: Store) -> None:
    purged, kept = store.session("purged"), store.session("kept")
    store.commit(queue(store.clock(), purged.key, "a"), queue(store.clock(), kept.key, "b"))
    report = store.commit(
        PurgeMessages(at=store.clock(), session_key=purged.key, limit=10),
        reach(store.clock.advance(10), kept.key, "b", MessageStatus.SENT),
    )
    assert report.answers[0].count == 1
    assert store.message(kept.key, "b").status == MessageStatus.SENT


def test_a_name_is_free_in_the_batch_that_deletes_its_session(store: Store) -> None:
    old = store.session("one")
    gone = changes.DeleteSession(at=store.clock(), session_key=old.key, messages_deleted=0)
    report = store.commit(gone, create(store.clock(), "one", id="ID-new"))
    assert report.answers[1].id == "ID-new"


@pytest.mark.parametrize(
    "change",
    [
        receive(Stamp(START_MS, 5), 1, "x", "lone \ud800"),
        receive(Stamp(START_MS, 5), 2**63, "x"),
        receive(Stamp(2**64, 5), 1, "x"),
        receive(Stamp(START_MS, 5), 1, "x", b"\xff"),  # type: ignore[arg-type]
        receive(Stamp(START_MS, 5), "one", "x"),  # type: ignore[arg-type]
        receive(Stamp(START_MS, 5), 1, "x", contact_name="\udfff", sent_at_ms=2**63),
    ],
    ids=["surrogate", "session_key", "stamp", "bytes", "type", "both"],
)
def test_what_cannot_even_be_written_down_as_it_came_is_rejected_and_holds_up_nothing(
    store: Store, change: changes.RecordMessage
) -> None:
    session = store.session()
    report = store.commit(receive(store.clock(), session.key, "before"), change, receive(store.clock(), 1, "after"))
    assert report.rejected == 1
    assert store.one("SELECT count(*) FROM rejected") == 1
    assert store.one("SELECT group_concat(link_id) FROM (SELECT * FROM messages ORDER BY id)") == "before,after"


def test_garbage_with_a_lone_surrogate_is_kept_by_itself(store: Store) -> None:
    session = store.session()
    store.do(KeepRejected(at=store.clock(), session_key=session.key, source="link", raw="\ud800{", reason="\ud800"))
    assert store.rows("SELECT source, reason, raw FROM rejected") == [("link", "\ufffd", "\ufffd{")]


def test_pruning_cuts_the_log_at_its_end_and_never_in_its_midst(store: Store) -> None:
    session = store.session()
    for wall_ms in (DAY_MS * 3, DAY_MS * 1, DAY_MS * 4):  # the wall clock is set back, and forward again
        store.do(changes.UpdateSession(at=Stamp(wall_ms, 1), session_key=session.key, fields={}))
    store.connection.execute("UPDATE events SET at_ms = ? WHERE seq = 1", [DAY_MS])
    removed = store.do(removal_changes.PruneEvents(at=Stamp(DAY_MS * 4, 1), before_ms=DAY_MS * 2, limit=100))
    assert removed == 1
    assert store.rows("SELECT seq FROM events") == [(2,), (3,), (4,)]


def test_an_event_from_the_future_does_not_stop_pruning(store: Store) -> None:
    session = store.session()
    for wall_ms in (DAY_MS * 9000, DAY_MS, DAY_MS * 4):
        store.do(changes.UpdateSession(at=Stamp(wall_ms, 1), session_key=session.key, fields={}))
    store.connection.execute("UPDATE events SET at_ms = ? WHERE seq = 1", [DAY_MS])
    store.do(removal_changes.PruneEvents(at=Stamp(DAY_MS * 4, 1), before_ms=DAY_MS * 2, limit=100))
    assert store.rows("SELECT seq FROM events") == [(4,)]


def test_a_receipt_for_last_year_makes_an_event_of_today(store: Store) -> None:
    """Else retention would take it, and all that came before it, at once."""
    session = store.session()
    store.do(queue(store.clock(), session.key, "a"))
    store.do(reach(store.clock.advance(10), session.key, "a", MessageStatus.DELIVERED, whatsapp_s=1))
    assert store.one("SELECT at_ms FROM events WHERE type = 'message.status'") == store.clock().wall_ms


def test_a_resent_message_is_measured_on_the_clock_of_its_queueing(store: Store) -> None:
    session = store.session()
    store.do(queue(store.clock(), session.key, "a"))
    store.do(reach(store.clock.advance(10), session.key, "a", MessageStatus.FAILED, error_kind="refused"))
    store.clock.step_wall(-3_600_000)
    store.do(changes.ResendMessage(at=store.clock.advance(10), session_key=session.key, message_id="a"))
    store.do(reach(store.clock.advance(200), session.key, "a", MessageStatus.DELIVERED))
    assert store.message(session.key, "a").total_latency_ms == 200


def test_a_message_from_the_phone_is_told_as_sent(store: Store) -> None:
    session = store.session()
    phone = receive(store.clock(), session.key, "x", direction=Direction.OUTBOUND, origin=Origin.DEVICE)
    (written,) = store.commit(phone).events
    shown = show_event(written.row, written.session, written.message, START_MS).object()
    assert shown["data"]["status"] == "sent"
    assert shown["data"]["delivered_at"] is None


def test_ids_handed_out_again_after_a_rollback_keep_their_clock(store: Store) -> None:
    session = store.session()
    first = store.clock()
    store.clock.step_wall(3_600_000)
    second = store.clock()
    # The first is refused for good, so the second gets the id that the first had.
    store.commit(queue(first, session.key, "a", text="\ud800"), queue(second, session.key, "b"))
    store.do(reach(store.clock.advance(70), session.key, "b", MessageStatus.SENT))
    row = store.message(session.key, "b")
    assert row.sent_at == second.wall_ms + 70


def test_two_readers_that_find_one_idle_connection_both_read(store: Store) -> None:
    reader = reader_module.Reader(store.path, StoreSettings(), 0)

    class Vanishing(list[object]):
        """As the pool is when another thread takes the last connection between a look and the taking."""

        def __bool__(self) -> bool:
            return True

    reader._idle = Vanishing()  # type: ignore[assignment]
    assert reader._run(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    while len(reader._idle):
        reader._idle.pop().close()
