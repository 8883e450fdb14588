"""What a session actor sees of a gateway: deliveries, answers, and how each kind of trouble reads."""

import itertools

import pytest
import trio
from trio.testing import MockClock
from trio_websocket import WebSocketConnection

from pombal.link.base import (
    Authenticated,
    ContactInfo,
    Delivery,
    Edited,
    Gap,
    Garbage,
    LinkLost,
    Outgoing,
    Ready,
    SendRefused,
)
from pombal.link.wire import CloseCode, commands
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageType
from tests.fakes.gateway import NUMBER, FakeSession, Refuse
from tests.link.web.world import SESSION, SETTINGS, events_until, lost, world

TEXT = Outgoing("L1", "5511922220000@s.whatsapp.net", "5511922220000", MessageType.TEXT, "oi")


async def test_from_hello_to_ready() -> None:
    async with world() as w, w.link() as link:
        deliveries = await link.receive()
        assert next(iter(deliveries)) == Delivery(1, Authenticated(NUMBER, NUMBER, "Pombal"))
        await events_until(link, 2 - len(deliveries))
        assert link.deduplicates
        assert link.resolves
        assert link.is_alive
        assert link.last_frame_at_ms is not None
        (hello,) = w.session.hellos
        assert (hello.protocol, hello.session, hello.max_unacknowledged) == (1, SESSION, 1000)


async def test_acknowledged_after_commit_and_replayed_until_then() -> None:
    async with world() as w:
        w.gateway.logs_in = False
        w.session.tell(*(Edited("c", str(n), "t") for n in range(5)))
        async with w.link() as link:
            assert [e.link_id for e in await events_until(link, 5)] == list("01234")  # type: ignore[union-attr]
            link.acknowledge(2)
            await w.session.until(lambda: w.session.acknowledged == 2)
        async with w.link() as link:
            assert [e.link_id for e in await events_until(link, 3)] == list("234")  # type: ignore[union-attr]
            link.acknowledge(5)
        assert w.session.acknowledged == 5  # what is acknowledged right before the end is still said
        assert w.session.spool == {}


async def test_not_more_is_under_way_than_may_be() -> None:
    async with world() as w:
        w.gateway.logs_in = False
        w.gateway.max_unacknowledged = 3
        w.session.tell(*(Edited("c", str(n), "t") for n in range(10)))
        async with w.link() as link:
            seen = 0
            while seen < 10:
                batch = await link.receive()
                assert len(batch) <= 3
                seen += len(batch)
                link.acknowledge(batch[-1].seq)


async def test_a_gateway_that_does_not_wait_for_acknowledgements_is_cut_off() -> None:
    async with world() as w:
        w.gateway.logs_in = False
        w.settings = SETTINGS.model_copy(update={"max_unacknowledged": 3})
        w.session.tell(*(Edited("c", str(n), "t") for n in range(10)))
        async with w.conversation() as talk:
            assert "more than the 3 events" in await lost(talk.receive)
        await w.session.until(lambda: w.session.closed_with)
        assert w.session.closed_with == [CloseCode.GARBAGE]


async def test_commands() -> None:
    async with world() as w, w.link() as link:
        await link.send(TEXT)
        assert w.session.sent == [TEXT]
        assert await link.check_contacts(["1", "2"]) == [
            ContactInfo("1", True, "1@s.whatsapp.net", "1@lid"), ContactInfo("2", True, "2@s.whatsapp.net", "1@lid"),
        ]  # fmt: skip
        assert (await link.pair_code(NUMBER)).code == "ABCD-1234"
        await link.mark_read("c", "", ["a", "b"])
        await link.probe()
        await link.logout()
        assert w.session.asked[-3:] == [commands.MarkRead("c", "", ("a", "b")), commands.Probe(), commands.Logout()]


async def test_answers_out_of_order() -> None:
    gates = {"a": trio.Event(), "b": trio.Event()}

    async def answer(_: FakeSession, command: commands.Command) -> None:
        if isinstance(command, Outgoing):
            await gates[command.link_id].wait()

    async with world() as w, w.link() as link, trio.open_nursery() as nursery:
        w.gateway.answer = answer
        nursery.start_soon(link.send, Outgoing("a", "c", None, MessageType.TEXT, "1"))
        nursery.start_soon(link.send, Outgoing("b", "c", None, MessageType.TEXT, "2"))
        await w.session.until(lambda: len(w.session.asked) == 2)
        gates["b"].set()
        await w.session.until(lambda: len(w.session.sent) == 1)
        assert w.session.sent[0].link_id == "b"
        gates["a"].set()


REFUSALS = {
    "lost": LinkLost, "not_ready": LinkLost, "unavailable": LinkLost, "restricted": SendRefused, "invalid": SendRefused,
    "unsupported": SendRefused,
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_send_that_is_declined(kind: str) -> None:
    async def answer(_: FakeSession, command: commands.Command) -> None:
        await trio.lowlevel.checkpoint()
        raise Refuse(kind, "because")

    async with world() as w, w.link() as link:
        w.gateway.answer = answer
        with pytest.raises(REFUSALS[kind], match="because"):
            await link.send(TEXT)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("not_ready", Kind.NOT_READY), ("rate_limited", Kind.RATE_LIMITED), ("odd", Kind.UNAVAILABLE)],
)
async def test_a_command_that_is_declined(kind: str, expected: Kind) -> None:
    async def answer(_: FakeSession, command: commands.Command) -> None:
        await trio.lowlevel.checkpoint()
        raise Refuse(kind, "because")

    async with world() as w, w.link() as link:
        w.gateway.answer = answer
        with pytest.raises(PombalError, match="because") as refused:
            await link.check_contacts(["1"])
        assert refused.value.kind == expected


async def test_what_cannot_be_said_is_refused_and_the_link_stays() -> None:
    async with world() as w, w.link() as link:
        with pytest.raises(SendRefused) as refused:
            await link.send(Outgoing("a", "c", None, MessageType.TEXT, "x" * 2**21))
        assert refused.value.kind == "too_large"
        await link.send(TEXT)


async def test_contacts_that_are_not_answered_for() -> None:
    async def answer(_: FakeSession, command: commands.Command) -> commands.Result:
        await trio.lowlevel.checkpoint()
        return commands.Contacts(())

    async with world() as w, w.link() as link:
        w.gateway.answer = answer
        with pytest.raises(PombalError, match="each of 1 numbers"):
            await link.check_contacts(["1"])


async def test_a_command_that_is_given_up_before_it_was_said_is_not_said() -> None:
    async with world() as w, w.conversation() as talk:
        id_, _ = talk.begin(commands.Probe())
        talk.withdraw(id_)  # in the same turn of the loop
        await talk.ask(commands.Logout(), 10)
        assert w.session.asked == [commands.Logout()]


async def test_a_gap_is_told_first_and_forgotten_once_committed() -> None:
    async with world() as w:
        w.gap = "the gateway was ended by SIGKILL"
        async with w.link() as link:
            (delivery,) = await link.receive()
            assert delivery.event == Gap("the gateway was ended by SIGKILL")
            assert w.gaps_said == 0
            await events_until(link, 2)
            link.acknowledge(delivery.seq)
            assert w.gaps_said == 1
            link.acknowledge(2)
        assert w.session.acknowledged == 2


# Trouble


async def test_a_gateway_that_hangs_is_noticed(autojump_clock: MockClock) -> None:
    async with world() as w, w.conversation() as talk:
        w.gateway.is_silent = True
        began_s = trio.current_time()
        why = await lost(talk.receive)
        assert "said nothing for 10 s" in why
        assert trio.current_time() - began_s < 40
        assert talk.is_unresponsive


async def test_a_gateway_that_is_only_quiet_is_left_alone(autojump_clock: MockClock) -> None:
    async with world() as w, w.link() as link:
        await trio.sleep(3600)
        await link.send(TEXT)
        assert w.session.closed_with == []


async def test_an_answer_that_does_not_come(autojump_clock: MockClock) -> None:
    async def answer(_: FakeSession, command: commands.Command) -> None:
        await trio.sleep_forever()

    async with world() as w, w.link() as link:
        w.gateway.answer = answer
        with pytest.raises(LinkLost, match="did not answer CheckContacts within 30 s"):
            await link.check_contacts(["1"])
        assert "did not answer" in await lost(link.receive)


async def greeted_with(*payloads: str | bytes, code: int | None = None) -> str:
    """How the link ends when the gateway says this."""

    async def greet(socket: WebSocketConnection) -> None:
        await socket.get_message()
        for payload in payloads:
            await socket.send_message(payload)
        if code is not None:
            await socket.aclose(code)
        else:
            await trio.sleep_forever()

    async with world() as w:
        w.gateway.greet = greet

        async def use() -> None:
            async with w.conversation() as talk:
                while True:
                    await talk.receive()

        with trio.fail_after(60):
            return await lost(use)


HELLO = '{"type":"hello","protocol":1,"gateway":"x","deduplicates":true,"max_unacknowledged":9}'


@pytest.mark.parametrize(
    ("payloads", "why"),
    [
        (["no json"], "broke the protocol: a text frame that is no JSON"),
        ([HELLO, HELLO], "a second hello"),
        ([HELLO, "[]"], "no JSON object"),
        ([HELLO, b"\0"], "holds no transfer id"),
        ([HELLO, '{"type":"poem"}'], "unknown type 'poem'"),
        ([HELLO, '{"type":"event","seq":-1,"event":{}}'], "event: seq"),
        ([HELLO, '{"type":"answer","id":7,"result":{}}'], "nobody asked"),
        (['{"type":"event","seq":1,"event":{"type":"ready"}}'], "first frame must be hello"),
        ([HELLO.replace('"protocol":1', '"protocol":2')], "speaks wire protocol 2, this daemon 1"),
        (['{"type":"refused","kind":"unavailable","detail":"full"}'], r"refuses this session \(unavailable\): full"),
        ([HELLO, '{"type":"lost","detail":"no network"}'], "no network"),
        ([HELLO, "x" * 2_000_000], "closed the connection|broke"),
    ],
)
async def test_nonsense_is_a_link_lost_that_says_why(payloads: list[str | bytes], why: str) -> None:
    told = await greeted_with(*payloads)
    assert told.startswith("LinkLost: ")
    pytest.RaisesExc(LinkLost, match=why).matches(LinkLost(told)) or pytest.fail(told)


@pytest.mark.parametrize(
    ("code", "why"),
    [(1001, "the gateway stops"), (4409, "another connection"), (4422, "did not understand us"), (4999, "(4999)")],
)
async def test_closed_by_the_gateway(code: int, why: str) -> None:
    assert why in await greeted_with(HELLO, code=code)


async def test_an_event_that_cannot_be_read_is_recorded_and_the_rest_goes_on() -> None:
    async def greet(socket: WebSocketConnection) -> None:
        await socket.get_message()
        for payload in (
            HELLO,
            '{"type":"event","seq":1,"event":{"type":"poem"}}',
            '{"type":"event","seq":2,"event":{"type":"ready"}}',
        ):
            await socket.send_message(payload)
        await trio.sleep_forever()

    async with world() as w:
        w.gateway.greet = greet
        async with w.link() as link:
            garbage, ready = await events_until(link, 2)
            assert isinstance(garbage, Garbage)
            assert ready == Ready()


async def test_what_came_before_the_end_is_handed_over_first() -> None:
    async def greet(socket: WebSocketConnection) -> None:
        await socket.get_message()
        for payload in (HELLO, '{"type":"event","seq":1,"event":{"type":"ended","kind":"banned"}}'):
            await socket.send_message(payload)
        await socket.aclose(1001)

    async with world() as w:
        w.gateway.greet = greet
        async with w.conversation() as talk:
            await trio.testing.wait_all_tasks_blocked()
            (delivery,) = await talk.receive()
            assert delivery.seq == 1
            with pytest.raises(LinkLost):
                await talk.receive()


async def test_the_newer_connection_supersedes() -> None:
    async with world() as w, w.conversation() as older:
        await older.receive()
        async with w.conversation() as newer:
            assert "another connection serves this session now" in await lost(older.receive)
            assert newer.is_open


@pytest.mark.parametrize("code", [CloseCode.NORMAL, CloseCode.GOING_AWAY])
async def test_the_gateway_hears_why_we_close(code: CloseCode) -> None:
    async with world() as w:
        w.code = code
        async with w.link() as link:
            await link.receive()
        await w.session.until(lambda: w.session.closed_with)
        assert w.session.closed_with == [code]


async def test_closing_does_not_wait_for_a_gateway_that_hangs(autojump_clock: MockClock) -> None:
    async def greet(socket: WebSocketConnection) -> None:
        await socket.get_message()
        await socket.send_message(HELLO)
        socket._reader_running = False  # it reads no more
        await trio.sleep_forever()

    async with world() as w:
        w.gateway.greet = greet
        began_s = trio.current_time()
        async with w.conversation():
            pass
        assert trio.current_time() - began_s < 10


async def test_pings_are_answered() -> None:
    answered = trio.Event()

    async def greet(socket: WebSocketConnection) -> None:
        await socket.get_message()
        await socket.send_message(HELLO)
        await socket.send_message('{"type":"ping","n":41}')
        await socket.send_message('{"type":"telepathy","optional":true}')
        assert await socket.get_message() == '{"type":"pong","n":41}'
        answered.set()
        await trio.sleep_forever()

    async with world() as w:
        w.gateway.greet = greet
        async with w.conversation() as talk:
            with trio.fail_after(60):
                await answered.wait()
            assert talk.is_open


async def test_facts() -> None:
    async def greet(socket: WebSocketConnection) -> None:
        await socket.get_message()
        await socket.send_message(HELLO)
        for n in itertools.count(1):
            await socket.send_message(
                f'{{"type":"facts","is_alive":{"false" if n > 2 else "true"},"last_frame_at_ms":{n}}}'
            )
            await socket.send_message(f'{{"type":"event","seq":{n},"event":{{"type":"ready"}}}}')
            if n == 3:
                await trio.sleep_forever()

    async with world() as w:
        w.gateway.greet = greet
        async with w.link() as link:
            assert link.last_frame_at_ms is None
            assert not link.is_alive
            await events_until(link, 3)
            assert link.last_frame_at_ms == 3
            assert not link.is_alive
        assert not link.is_alive


async def test_what_nobody_expected_is_a_crash_of_the_session_and_of_nobody_else() -> None:
    async with world() as w, w.conversation() as talk:
        await talk.receive()
        talk.facts = None

        def broken(payload: str | bytes) -> None:
            raise RuntimeError("a mistake of ours")

        talk.end.receive = broken  # type: ignore[method-assign]
        w.session.tell(Edited("c", "l", "t"))
        assert await lost(talk.receive) == "RuntimeError: a mistake of ours"


async def test_a_stream_that_breaks() -> None:
    streams: list[trio.abc.Stream] = []

    async def serve(stream: trio.abc.Stream) -> None:
        streams.append(stream)
        await w.gateway.serve_stream(stream)

    async with world() as w:
        w.serve = serve
        async with w.conversation() as talk:
            await streams[0].aclose()
            assert "the connection to the gateway broke" in await lost(talk.receive)
            with pytest.raises(LinkLost):
                await talk.ask(commands.Probe(), 10)


async def test_a_gateway_that_takes_the_connection_and_says_nothing(autojump_clock: MockClock) -> None:
    async def serve(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async with world() as w:
        w.serve = serve
        with pytest.raises(LinkLost, match="did not greet within 10 s"):
            async with w.conversation():
                pass


async def test_a_gateway_that_says_no_hello(autojump_clock: MockClock) -> None:
    async def greet(socket: WebSocketConnection) -> None:
        await trio.sleep_forever()

    async with world() as w:
        w.gateway.greet = greet
        with pytest.raises(LinkLost, match="no hello within 30 s"):
            async with w.conversation():
                pass


@pytest.mark.parametrize("command", ["check_contacts", "pair_code"])
async def test_a_command_while_whatsapp_is_away(command: str) -> None:
    async def answer(_: FakeSession, asked: commands.Command) -> None:
        await trio.lowlevel.checkpoint()
        raise Refuse("lost")

    async with world() as w, w.link() as link:
        w.gateway.answer = answer
        with pytest.raises(LinkLost, match="not connected to WhatsApp"):
            await (link.check_contacts(["1"]) if command == "check_contacts" else link.pair_code(NUMBER))
