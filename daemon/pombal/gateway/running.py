"""Starting a client, hearing it, and stopping it: the steps of its life that meet its threads and other clients."""

import threading
from collections.abc import Callable
from contextlib import suppress

import structlog
import trio

from pombal.gateway import client
from pombal.gateway.client import Client, Signal
from pombal.gateway.gate import Gate
from pombal.gateway.incoming import unknown_counterpart
from pombal.gateway.intake import Intake
from pombal.gateway.verdicts import verdict_on

log = structlog.get_logger()

BEGIN_S = 10.0  # for a client to be past its first steps, so that others may start
QUIET_S = 0.25  # without a call, what the client still held has been called back
DRAIN_S = 2.0


def from_thread(token: trio.lowlevel.TrioToken, call: Callable[[], None]) -> Callable[[], None]:
    """call, to be called from any thread; several at once may become one."""

    def called() -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(call, idempotent=True)

    return called


def poster(token: trio.lowlevel.TrioToken, send: trio.MemorySendChannel[Signal]) -> Callable[[Signal], None]:
    """Takes signals from a client's thread to the loop."""

    def post(signal: Signal) -> None:
        try:
            send.send_nowait(signal)
        except trio.WouldBlock:
            log.warning("too many signals of WhatsApp's client, one is dropped", signal=type(signal).__name__)
        except trio.BrokenResourceError:
            pass  # its time is over

    def post_from_thread(signal: Signal) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(post, signal)

    return post_from_thread


async def begin(gate: Gate, made: Client, signals: trio.MemoryReceiveChannel[Signal]) -> list[Signal]:
    """Start it, and wait until it is past the steps that no other client may be at in the meantime; what it said."""
    began: list[Signal] = []
    async with gate.alone():
        threading.Thread(target=made.run, name="client", daemon=True).start()
        with trio.move_on_after(BEGIN_S):
            while not began or not _is_past_first_steps(began[-1]):
                began.append(await signals.receive())
    return began


def _is_past_first_steps(signal: Signal) -> bool:
    return isinstance(signal, client.Begun | client.QrShown) or verdict_on(signal) is not None


async def first(signals: trio.MemoryReceiveChannel[Signal], restart: trio.Event) -> Signal | None:
    """The next signal, or None once restart is set."""
    got: Signal | None = None
    async with trio.open_nursery() as nursery:

        async def restarted() -> None:
            await restart.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(restarted)
        got = await signals.receive()
        nursery.cancel_scope.cancel()
    return got


async def stop(gate: Gate, made: Client, intake: Intake) -> None:
    """Take no more from the network, let what the client still holds be called back, then end it."""
    intake.is_deaf, intake.counterpart = True, unknown_counterpart
    async with gate.alone():
        await _quietly(made.disconnect)
    with trio.move_on_after(DRAIN_S):
        calls = -1
        while calls != intake.calls:
            calls = intake.calls
            await trio.sleep(QUIET_S)
    async with gate.alone():
        await _quietly(made.stop)


async def _quietly(step: Callable[[], None]) -> None:
    try:
        await trio.to_thread.run_sync(step)
    except Exception as error:  # a client that cannot even stop is left behind
        log.warning("WhatsApp's client did not stop well", reason=f"{type(error).__name__}: {error}")
