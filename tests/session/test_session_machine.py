"""Random lives of a session, by its operator, its link and the daemon's own restarts, against a model of four lines."""

import itertools
import tempfile
from collections import Counter
from enum import Enum
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pombal.link.base import Ended, EndKind, LinkLost, Ready, Restricted
from pombal.model.errors import Kind
from pombal.model.params import SessionNameParams
from tests.fakes.link import FakeLink, FakeNetwork, log_in, paired, show_qr
from tests.fakes.loop_thread import LoopThread
from tests.fakes.rooms import World, outcome, running

ANA = SessionNameParams(name="ana")
# Soon enough for a test, and far enough from each other to tell them apart. Crashes are never too many here.
SECTIONS: dict[str, dict[str, Any]] = {
    "link": {"reconnect_min_s": 1, "reconnect_max_s": 2},
    "sessions": {"restart_intensity": 1000, "restart_backoff_min_s": 1, "restart_backoff_max_s": 2},
}
RESTRICTED_S = 20
UP_AGAIN_S = 5.0


class Place(Enum):
    """STOPPED by its operator; RESTING until a person starts it; else it runs: UP, or DOWN as its network is."""

    STOPPED = "stopped"
    RESTING = "resting"
    DOWN = "down"
    UP = "up"


class SessionMachine(RuleBasedStateMachine):
    """``network_is_up``: whether a link can be opened; ``paired``: whether it logs in by itself, or shows a QR code."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.network = FakeNetwork()
        self.network.on_open = self.open_link
        self.network_is_up, self.is_paired, self.was_paired = True, True, False
        self.place = Place.STOPPED
        self.resting_with: str | None = None
        self.accepted: list[str] = []
        self.begin_life()
        self.loop.do(self.world.create)
        self.place = Place.UP
        self.was_paired = True

    def begin_life(self) -> None:
        path = Path(self.directory.name)
        self.loop = LoopThread(lambda: running(path, network=self.network, sections=SECTIONS))
        self.world: World = self.loop.inside

    async def open_link(self, link: FakeLink) -> None:
        if not self.network_is_up:
            link.is_closed = True
            raise LinkLost("no network")
        await (log_in if self.is_paired else show_qr)(link)

    def command(self, name: str) -> None:
        self.loop.do(lambda: self.world.call(f"session.{name}", ANA))

    def tell(self, *events: Any) -> None:
        async def tell() -> None:
            self.world.link().tell(*events)

        self.loop.do(tell)

    def runs(self) -> None:
        """It has been started, or its link is to be opened again."""
        self.place = Place.UP if self.network_is_up else Place.DOWN
        self.was_paired = self.was_paired or (self.place == Place.UP and self.is_paired)

    # Its operator

    @rule()
    def start(self) -> None:
        self.command("start")
        if self.place in (Place.STOPPED, Place.RESTING):
            self.runs()

    @rule()
    def stop(self) -> None:
        self.command("stop")
        self.place = Place.STOPPED

    @rule()
    def restart(self) -> None:
        self.command("restart")
        self.runs()

    @rule()
    def send(self) -> None:
        name = f"m{len(self.accepted)}"
        answer = self.loop.do(lambda: outcome(self.world.send(message_id=name)))
        assert (answer != Kind.NOT_READY) == self.takes_sends(), answer
        if self.takes_sends():
            self.accepted.append(name)

    def takes_sends(self) -> bool:
        if self.place in (Place.STOPPED, Place.RESTING):
            return False
        shows_qr = self.place == Place.UP and not self.is_logged_in()
        return self.was_paired or not shows_qr

    def is_logged_in(self) -> bool:
        """Whether the link that is open has said so, or shows a code."""
        return self.world.seat().state.status != "qrcode"

    # Its link, where one is open

    @precondition(lambda self: self.place == Place.UP)
    @rule()
    def scan(self) -> None:
        self.tell(paired(), Ready())
        self.was_paired = True

    @precondition(lambda self: self.place == Place.UP)
    @rule(kind=st.sampled_from(EndKind))
    def end(self, kind: EndKind) -> None:
        self.tell(Ended(kind))
        self.place, self.resting_with = Place.RESTING, kind.value

    @precondition(lambda self: self.place == Place.UP)
    @rule()
    def restrict(self) -> None:
        async def restrict() -> None:
            until_ms = self.world.clock().wall_ms + RESTRICTED_S * 1000
            self.world.link().tell(Restricted(until_ms))

        self.loop.do(restrict)

    @precondition(lambda self: self.place == Place.UP)
    @rule(error=st.sampled_from([LinkLost("reset"), ValueError("nobody expected this")]))
    def lose(self, error: Exception) -> None:
        """A lost link is opened again; so is one whose actor has crashed."""

        async def fail() -> None:
            self.world.link().fail(error)

        self.loop.do(fail)
        self.wait_until_up_again()

    def wait_until_up_again(self) -> None:
        self.loop.pass_time(UP_AGAIN_S)
        self.place = Place.UP if self.network_is_up else Place.DOWN
        self.was_paired = self.was_paired or (self.place == Place.UP and self.is_paired)

    # The world

    @rule(up=st.booleans(), is_paired=st.booleans())
    def change_the_network(self, up: bool, is_paired: bool) -> None:
        self.network_is_up, self.is_paired = up, is_paired
        if self.place == Place.DOWN:
            self.wait_until_up_again()

    @rule()
    def time_passes(self) -> None:
        self.loop.pass_time(RESTRICTED_S + 1)

    @rule()
    def restart_the_daemon(self) -> None:
        """Killed and started again: what was wanted comes back by itself, but what waits for a person."""
        self.loop.close()
        self.begin_life()
        if self.place in (Place.UP, Place.DOWN):
            self.runs()

    # What must hold

    @invariant()
    def it_is_where_the_model_is(self) -> None:
        row, state = self.world.row(), self.world.seat().state
        assert (row.status, row.status_reason) == state.place, "what is stored is what is lived"
        assert row.is_active == (self.place != Place.STOPPED)
        match self.place:
            case Place.STOPPED:
                assert state.place == ("disconnected", "stopped")
            case Place.RESTING:
                assert state.reason == self.resting_with
            case Place.DOWN:
                assert state.place in (("connecting", None), ("disconnected", "network"), ("error", "restricted"))
            case Place.UP:
                assert state.status in ("ready", "qrcode", "error")
                assert (state.reason == "restricted") or state.status != "error"

    @invariant()
    def all_are_counted_where_they_are(self) -> None:
        registry = self.world.registry
        assert registry.census.counts() == Counter((seat.state.status, seat.link) for seat in registry)
        assert registry.census.queued == sum(seat.outbox.depth for seat in registry)

    @invariant()
    def a_link_is_open_where_one_should_be_and_no_other(self) -> None:
        links = self.world.account().links
        open_ones = [link for link in links if not link.is_closed]
        assert len(open_ones) == (self.place == Place.UP)
        assert not open_ones or open_ones[0] is links[-1]

    @invariant()
    def each_change_of_state_was_told_once(self) -> None:
        """A restriction that ends at another time than was told before is news, too."""
        places = ("status", "status_reason", "status_until")
        told = [[event["then"][name] for name in places] for event in self.world.events("session.status", name="ana")]
        assert all(before != after for before, after in itertools.pairwise(told))

    @invariant()
    def nothing_is_received_twice(self) -> None:
        assert set(self.world.account().received.values()) <= {1}

    def teardown(self) -> None:
        """In the end, with a network, a phone and a start, everything that was accepted has gone out, once."""
        try:
            self.check_the_end()
        finally:
            self.loop.close()
            self.directory.cleanup()

    def check_the_end(self) -> None:
        self.network_is_up, self.is_paired = True, True
        self.command("restart")
        self.tell(paired(), Ready())
        self.loop.pass_time(UP_AGAIN_S)
        assert [self.world.message(name).status for name in self.accepted] == ["sent"] * len(self.accepted)
        assert len(self.world.account().received) == len(self.accepted)


TestSession = SessionMachine.TestCase
TestSession.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
