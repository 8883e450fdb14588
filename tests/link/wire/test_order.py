"""What may come when: hello first, numbers that grow, answers to what was asked."""

import pytest

from pombal.link.base import Ready
from pombal.link.wire import DaemonEnd, ErrorCode, WireError, commands, frames
from tests.link.wire.pair import SESSION, gateway_end, greeted


def refused(code: ErrorCode, text: str) -> "pytest.RaisesExc[WireError]":
    return pytest.RaisesExc(WireError, match=text, check=lambda error: error.code == code)


def test_the_gateway_speaks_first_of_itself() -> None:
    daemon = DaemonEnd()
    with refused(ErrorCode.OUT_OF_ORDER, "first frame must be hello"):
        daemon.receive('{"type":"ping","n":1}')
    gateway = gateway_end()
    with refused(ErrorCode.OUT_OF_ORDER, "first frame must be hello"):
        gateway.receive('{"type":"ping","n":1}')


def test_a_second_hello() -> None:
    daemon, gateway = greeted()
    with refused(ErrorCode.OUT_OF_ORDER, "second hello"):
        daemon.receive(gateway.hello())
    with refused(ErrorCode.OUT_OF_ORDER, "second hello"):
        gateway.receive(daemon.hello("0", SESSION))


def test_another_protocol_version() -> None:
    with refused(ErrorCode.PROTOCOL_VERSION, r"gateway \(test 1\) speaks wire protocol 2, this daemon 1"):
        DaemonEnd().receive(
            '{"type":"hello","protocol":2,"gateway":"test 1","deduplicates":true,"max_unacknowledged":1}'
        )
    hello = DaemonEnd().hello("3.0", SESSION).replace('"protocol":1', '"protocol":7')
    with refused(ErrorCode.PROTOCOL_VERSION, r"daemon \(3.0\) speaks wire protocol 7, this gateway 1"):
        gateway_end().receive(hello)


def test_nothing_follows_a_refusal() -> None:
    daemon, gateway = DaemonEnd(), gateway_end()
    told = daemon.receive(gateway.refused(frames.RefusedKind.UNAVAILABLE, "full"))
    assert told == frames.Refused("unavailable", "full")
    with refused(ErrorCode.OUT_OF_ORDER, "second hello"):
        daemon.receive(gateway.hello())
    with refused(ErrorCode.OUT_OF_ORDER, "after the gateway refused"):
        daemon.receive('{"type":"ping","n":1}')


def test_events_grow_with_holes_allowed() -> None:
    daemon, gateway = greeted()
    daemon.receive(gateway.event(0, Ready()))
    ninth = gateway.event(9, Ready())
    daemon.receive(ninth)
    with refused(ErrorCode.OUT_OF_ORDER, "event 9 after event 9"):
        daemon.receive(ninth)
    with refused(ErrorCode.OUT_OF_ORDER, "event 8 after event 9"):
        gateway.event(8, Ready())


def test_acknowledgements_are_of_what_was_told() -> None:
    daemon, gateway = greeted()
    with refused(ErrorCode.OUT_OF_ORDER, "cannot be acknowledged"):
        daemon.ack(1)
    daemon.receive(gateway.event(1, Ready()))
    daemon.receive(gateway.event(2, Ready()))
    assert gateway.receive(daemon.ack(1)) == frames.Ack(1)
    assert gateway.receive(daemon.ack(1)) == frames.Ack(1)
    with refused(ErrorCode.OUT_OF_ORDER, "not told"):
        gateway.receive('{"type":"ack","seq":3}')
    gateway.receive(daemon.ack(2))
    with refused(ErrorCode.OUT_OF_ORDER, "not told"):
        gateway.receive('{"type":"ack","seq":1}')


def test_answers_are_to_questions_and_once() -> None:
    daemon, gateway = greeted()
    with refused(ErrorCode.OUT_OF_ORDER, "which nobody asked"):
        daemon.receive('{"type":"answer","id":1,"result":{}}')
    with refused(ErrorCode.OUT_OF_ORDER, "does not wait"):
        gateway.answer(1, commands.Done())
    id_, text = daemon.command(commands.Logout())
    gateway.receive(text)
    with refused(ErrorCode.OUT_OF_ORDER, f"command {id_} after command {id_}"):
        gateway.receive(text)
    answer = gateway.answer(id_, commands.Done())
    daemon.receive(answer)
    with refused(ErrorCode.OUT_OF_ORDER, "which nobody asked"):
        daemon.receive(answer)
    with refused(ErrorCode.OUT_OF_ORDER, "does not wait"):
        gateway.refuse(id_, "lost", "")


def test_an_answer_without_what_was_asked_for() -> None:
    daemon, gateway = greeted()
    id_, text = daemon.command(commands.HasMedia("0" * 64))
    gateway.receive(text)
    with refused(ErrorCode.INVALID, "the answer of has_media: has"):
        daemon.receive(f'{{"type":"answer","id":{id_},"result":{{}}}}')
