"""Everything that can be said arrives as it was said."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.link import base
from pombal.link.base import Delivery, IncomingMessage
from pombal.link.wire import DaemonEnd, WireError, commands, frames
from pombal.link.wire.commands import COMMANDS
from pombal.link.wire.daemon_end import Answered, Declined
from pombal.link.wire.events import EVENTS
from pombal.link.wire.gateway_end import Asked
from pombal.model.message import MessageStatus
from tests.link.wire import strategies as make
from tests.link.wire.pair import gateway_end, greeted


@given(make.events, make.numbers)
def test_event(event: base.LinkEvent, seq: int) -> None:
    daemon, gateway = greeted()
    assert daemon.receive(gateway.event(seq, event)) == Delivery(seq, event)


@given(make.asked, st.data())
def test_command_and_its_answer(command: commands.Command, data: st.DataObject) -> None:
    daemon, gateway = greeted()
    id_, text = daemon.command(command)
    assert gateway.receive(text) == Asked(id_, command)
    result = data.draw(make.results_of(command))
    assert daemon.receive(gateway.answer(id_, result)) == Answered(id_, result)


@given(make.asked, make.texts, make.texts)
def test_command_and_its_refusal(command: commands.Command, kind: str, detail: str) -> None:
    daemon, gateway = greeted()
    id_, text = daemon.command(command)
    gateway.receive(text)
    assert daemon.receive(gateway.refuse(id_, kind, detail)) == Declined(id_, kind, detail)


@given(make.sessions, make.texts)
def test_hello(session: frames.SessionInfo, version: str) -> None:
    daemon, gateway = DaemonEnd(), gateway_end()
    assert gateway.receive(daemon.hello(version, session)) == frames.DaemonHello(1, version, session)
    assert daemon.receive(gateway.hello()) == frames.GatewayHello(1, "test 1", True, 100)
    assert frames.SessionInfo.of(session.context()) == session


@given(make.facts, st.lists(make.media_items, max_size=3), make.texts)
def test_what_has_no_number(facts: frames.Facts, items: list[frames.MediaItem], detail: str) -> None:
    daemon, gateway = greeted()
    assert daemon.receive(gateway.facts(facts)) == facts
    assert daemon.receive(gateway.media_waiting(items)) == frames.MediaWaiting(tuple(items))
    assert daemon.receive(gateway.lost(detail)) == frames.Lost(detail)


@given(make.numbers)
def test_ping_and_pong(n: int) -> None:
    daemon, gateway = greeted()
    assert gateway.receive(daemon.ping(n)) == frames.Ping(n)
    assert daemon.receive(gateway.pong(n)) == frames.Pong(n)
    assert daemon.receive(gateway.ping(n)) == frames.Ping(n)
    assert gateway.receive(daemon.pong(n)) == frames.Pong(n)


def test_every_event_and_command_has_a_name_on_the_wire() -> None:
    assert {type(event) for event in EVENTS_OF_A_KIND} == set(get_args(base.LinkEvent))
    assert len(list(EVENTS.names())) == len(get_args(base.LinkEvent))
    assert len(list(COMMANDS.names())) == len(get_args(commands.Command))


EVENTS_OF_A_KIND: list[base.LinkEvent] = [
    base.Qr("q", 1), base.PairCode("p", 1), base.Authenticated("i", "n"), base.Ready(), IncomingMessage("l", "c", 1),
    base.Receipt(("l",), MessageStatus.READ), base.Sent("l"), base.Failed("l", "k"), base.Edited("c", "l", "t"),
    base.Revoked("c", "l"), base.Ended(base.EndKind.BANNED), base.Restricted(1), base.Garbage("r", "w"), base.Gap("d"),
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS_OF_A_KIND, ids=lambda event: type(event).__name__)
def test_one_of_each_kind(event: base.LinkEvent) -> None:
    daemon, gateway = greeted()
    assert daemon.receive(gateway.event(7, event)) == Delivery(7, event)


def test_lone_surrogates_are_mended_by_whoever_writes() -> None:
    daemon, gateway = greeted()
    said = gateway.event(1, IncomingMessage("a", "c", 1, text="x\ud83dy", content={"contact": {"name": "\udc00"}}))
    said.encode()
    told = daemon.receive(said)
    assert told == Delivery(1, IncomingMessage("a", "c", 1, text="x�y", content={"contact": {"name": "�"}}))


def test_lone_surrogates_of_another_language_s_gateway_are_mended_by_whoever_reads() -> None:
    daemon, _ = greeted()
    told = daemon.receive(
        '{"type":"event","seq":1,"event":{"type":"edited","chat_id":"c","link_id":"l","text":"\\ud83d!"}}'
    )
    assert told == Delivery(1, base.Edited("c", "l", "�!"))


def test_what_cannot_be_written_is_refused_here_and_not_over_there() -> None:
    daemon, gateway = greeted()
    with pytest.raises(WireError, match="1048576 are allowed"):
        gateway.event(1, base.Garbage("x" * 2**20, ""))
    with pytest.raises(WireError, match="cannot be written"):
        gateway.event(1, IncomingMessage("l", "c", 1, content={"n": object()}))
    with pytest.raises(WireError, match="cannot be written"):
        daemon.command(base.Outgoing("l", "c", None, 5))  # type: ignore[arg-type]
    gateway.event(1, base.Ready())  # the number is still free
    assert daemon.command(commands.Probe())[0] > 0
