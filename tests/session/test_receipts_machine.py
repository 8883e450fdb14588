"""Random lives of sends as WhatsApp tells them, through intake and the writer, against a model of one status a message.

Receipts come doubled, overtaking each other, before the answer, for strangers, and again after each crash.
"""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pombal.link import base
from pombal.model import changes
from pombal.model.message import MessageStatus
from pombal.model.message_status import RANK
from pombal.session.intake import changes_of
from pombal.store.offline import check_database
from tests.store.building import Store, queue

SESSION = 1
NAMES = ("a", "b", "c")
RECEIPTS = (MessageStatus.DELIVERED, MessageStatus.READ)

# Of those that we sent, and of one that we did not.
link_ids = st.sampled_from([f"L-{name}" for name in NAMES] + ["L-stranger"])
# WhatsApp's clock: whole seconds, a little off, far off, or none told.
seconds_off = st.none() | st.integers(-3, 3) | st.sampled_from([-(10**9), 10**9, -(10**30), 10**30])
events = st.one_of(
    st.tuples(st.just(base.Sent), link_ids, seconds_off),
    st.tuples(
        st.just(base.Receipt), st.lists(link_ids, min_size=1, max_size=4), st.sampled_from(RECEIPTS), seconds_off
    ),
    st.tuples(st.just(base.Failed), link_ids, st.just("nack_421"), st.just("")),
)


class ReceiptsMachine(RuleBasedStateMachine):
    """What the link told and was not acknowledged comes again; a status never goes down but by a person's `resend`."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.directory.name) / "pombal.db")
        self.store.connection.execute("PRAGMA synchronous = OFF")
        self.store.session("one")
        self.statuses: dict[str, MessageStatus] = {}
        self.told: dict[str, list[str]] = {}
        self.link: list[base.LinkEvent] = []  # told by WhatsApp, not acknowledged
        self.committed = 0  # how many of these are on disk

    # What we do

    @rule(name=st.sampled_from(NAMES))
    def send(self, name: str) -> None:
        self.store.do(queue(self.store.clock.advance(5), SESSION, name, "oi"))
        self.statuses.setdefault(f"L-{name}", MessageStatus.QUEUED)
        self.told.setdefault(f"L-{name}", [])

    @rule(name=st.sampled_from(NAMES))
    def hand_over(self, name: str) -> None:
        if f"L-{name}" in self.statuses:
            row = self.store.message(SESSION, name)
            self.store.do(changes.MarkDispatched(at=self.store.clock.advance(3), message_ids=(row.id,)))

    @rule(name=st.sampled_from(NAMES))
    def resend(self, name: str) -> None:
        change = changes.ResendMessage(at=self.store.clock.advance(5), session_key=SESSION, message_id=name)
        self.store.commit(change)
        if self.statuses.get(f"L-{name}") in (MessageStatus.FAILED, MessageStatus.UNCERTAIN):
            self.statuses[f"L-{name}"] = MessageStatus.QUEUED
            self.told[f"L-{name}"].append("queued")

    @rule(only_dispatched=st.booleans())
    def give_up(self, only_dispatched: bool) -> None:
        """Those who waited for the answers are gone (uncertain), or it has taken too long (failed)."""
        status = MessageStatus.UNCERTAIN if only_dispatched else MessageStatus.FAILED
        for name in NAMES:
            link_id = f"L-{name}"
            if self.statuses.get(link_id) == MessageStatus.QUEUED:
                row = self.store.message(SESSION, name)
                if not only_dispatched or row.dispatched_at is not None:
                    self.reach(link_id, status)
        self.store.do(
            changes.FailQueue(
                at=self.store.clock.advance(1),
                session_key=SESSION,
                error_kind="expired",
                error_detail="",
                limit=10,
                only_dispatched=only_dispatched,
            )
        )

    # What WhatsApp does

    @rule(several=st.lists(events, min_size=1, max_size=4))
    def whatsapp_tells(self, several: list[Any]) -> None:
        now_s = self.store.clock().wall_ms // 1000
        for kind, *arguments in several:
            if kind is not base.Failed and arguments[-1] is not None:
                arguments[-1] += now_s
            if kind is base.Receipt:
                arguments[0] = tuple(arguments[0])
            self.link.append(kind(*arguments))

    @precondition(lambda self: self.committed < len(self.link))
    @rule(count=st.integers(1, 5))
    def session_commits(self, count: int) -> None:
        batch = self.link[self.committed : self.committed + count]
        at = self.store.clock.advance(40)
        self.store.commit(*(change for event in batch for change in changes_of(event, SESSION, at)))
        self.committed += len(batch)
        for event in batch:
            self.learn(event)

    @precondition(lambda self: self.committed)
    @rule()
    def link_is_told(self) -> None:
        del self.link[: self.committed]
        self.committed = 0

    @rule()
    def crash(self) -> None:
        """All that was not acknowledged is told again, be it on disk or not."""
        self.store.reopen()
        self.committed = 0

    # The model

    def learn(self, event: base.LinkEvent) -> None:
        match event:
            case base.Sent(link_id):
                self.reach(link_id, MessageStatus.SENT)
            case base.Failed(link_id):
                self.reach(link_id, MessageStatus.FAILED)
            case base.Receipt(several, status):
                for link_id in several:
                    self.reach(link_id, status)

    def reach(self, link_id: str, status: MessageStatus) -> None:
        if link_id in self.statuses and RANK[status] > RANK[self.statuses[link_id]]:
            self.statuses[link_id] = status
            self.told[link_id].append(status)

    @invariant()
    def statuses_are_those_of_the_model(self) -> None:
        assert dict(self.store.rows("SELECT link_id, status FROM messages")) == self.statuses

    @invariant()
    def each_step_was_told_once(self) -> None:
        found: dict[str, list[str]] = {link_id: [] for link_id in self.statuses}
        sql = (
            "SELECT m.link_id, e.data->>'status' FROM events AS e JOIN messages AS m ON m.id = e.message "
            "WHERE e.type = 'message.status' ORDER BY e.seq"
        )
        for link_id, status in self.store.rows(sql):
            found[link_id].append(status)
        assert found == self.told

    @invariant()
    def no_stamp_precedes_the_one_before_it(self) -> None:
        sql = "SELECT queued_at, dispatched_at, sent_at, delivered_at, read_at FROM messages"
        for stamps in self.store.rows(sql):
            known = [stamp for stamp in stamps if stamp is not None]
            assert known == sorted(known)

    def teardown(self) -> None:
        assert check_database(self.store.path, progress=lambda step: None) == []
        assert self.store.one("SELECT count(*) FROM rejected") == 0
        self.store.close()
        self.directory.cleanup()


TestReceipts = ReceiptsMachine.TestCase
TestReceipts.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
