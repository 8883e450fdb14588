"""The life of a session's client: started, watched, restarted, ended.

Expected faults (no network, a stalled server, a client that never gets on) start another client after a pause; what
only a person can mend ends the session's life until a daemon asks for it again.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import structlog
import trio

from pombal.gateway import client
from pombal.gateway.client import Client, ClientFactory, Signal
from pombal.gateway.gate import Gate
from pombal.gateway.intake import PAIRED, Intake
from pombal.gateway.running import begin, first, from_thread, poster, stop
from pombal.gateway.spool import Spool
from pombal.gateway.verdicts import End, Retry, RoundOver, Verdict, verdict_on
from pombal.link import base
from pombal.link.base import EndKind, LinkEvent

log = structlog.get_logger()

REFUSALS = "refusals"
"""The mark that counts how often WhatsApp refused the keys; twice, and they are given up."""
REFUSALS_MAX = 2
FIRST_QR_S, NEXT_QR_S = 60, 20  # whatsmeow's qrchan.go, after WhatsApp's own clients
SIGNALS_MAX = 1_000
PAUSE_MIN_S, PAUSE_MAX_S = 1.0, 60.0
SHORT_ROUND_S = 10.0  # a round of codes that is over sooner was ended by the network


class Stage(Enum):
    IDLE = "idle"
    STARTING = "starting"
    PAIRING = "pairing"
    LOGIN = "login"
    READY = "ready"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a daemon says of the session, each time it connects."""

    device_name: str | None = None
    proxy: str | None = None
    login_timeout_s: float = 30.0
    qr_rounds: int = 3


class Life:
    """For one session. ``run`` for as long as the process hosts it; everything here is on the loop."""

    def __init__(
        self,
        directory: Path,
        spool: Spool,
        factory: ClientFactory,
        gate: Gate,
        *,
        woken: Callable[[], None],
        files_noted: Callable[[], None],
        lost: Callable[[str], Awaitable[None]],
    ) -> None:
        """woken: the spool has something new, or the facts changed; files_noted: there may be files to fetch, and a
        client for it; lost: the way to WhatsApp is gone for now.
        """
        self._directory = directory
        self._spool = spool
        self._factory = factory
        self._gate = gate
        self._woken = woken
        self._files_noted = files_noted
        self._lost = lost
        self._token = trio.lowlevel.current_trio_token()
        self._log = log.bind(session=directory.name)
        self._wishes = Wishes()
        self._wanted = trio.Event()
        self._restart: trio.Event | None = None
        self._ready = trio.Event()
        self._standing = trio.Lock()
        self.stage = Stage.IDLE
        self.client: Client | None = None
        self.intake: Intake | None = None
        self.number: str | None = None
        self._qr: base.Qr | None = None
        self._qr_shown = 0
        self._pair_code: base.PairCode | None = None

    # What others ask of it

    @property
    def is_alive(self) -> bool:
        return self.stage == Stage.READY

    async def alive(self) -> None:
        """Wait until the client is logged in."""
        while not self.is_alive:
            if self._ready.is_set():
                self._ready = trio.Event()
            await self._ready.wait()

    @property
    def last_frame_at_ms(self) -> int | None:
        return None if self.intake is None else self.intake.last_called_ms

    async def want(self, wishes: Wishes) -> None:
        """A daemon is here for this session. What it should know of how things stand is in the spool afterwards."""
        async with self._standing:
            await trio.to_thread.run_sync(self._spool.drop_passing)
            for event in self._as_it_stands():
                await self._append(event)
        self._wishes = wishes
        if self.stage in (Stage.IDLE, Stage.ENDED) and await trio.to_thread.run_sync(self._spool.holds, "ended"):
            self.stage = Stage.ENDED
            return  # it is told again; the daemon that knows of it asks anew when a person does
        self._wanted.set()

    def unwant(self) -> None:
        """The session is not to be at WhatsApp any more."""
        if self._wanted.is_set():
            self._wanted = trio.Event()
        self.restart()

    def restart(self) -> None:
        """Start another client, now."""
        if self._restart is not None:
            self._restart.set()

    async def acknowledged(self) -> None:
        """The daemon has committed something: an end that it knows of is over and done with here."""
        if self.stage != Stage.ENDED:
            return
        async with self._standing:
            if await trio.to_thread.run_sync(self._spool.holds, "ended"):
                return
            if not await trio.to_thread.run_sync(self._factory.has_keys, self._directory):
                await trio.to_thread.run_sync(self._spool.mark, PAIRED, None)

    def pair_code_shown(self, code: base.PairCode) -> None:
        """A daemon that connects anew is told it again."""
        self._pair_code = code

    async def unlinked(self) -> None:
        """The device was removed from the account because we asked for it: there is nothing to be told of that."""
        await trio.to_thread.run_sync(self._spool.mark, PAIRED, None)
        self.stage = Stage.ENDED
        self.unwant()

    def _as_it_stands(self) -> list[LinkEvent]:
        now_ms = time.time_ns() // 1_000_000
        if self.stage == Stage.READY and self.number is not None:
            return [base.Authenticated(self.number, self.number), base.Ready()]
        if self.stage == Stage.PAIRING:
            codes: list[base.Qr | base.PairCode | None] = [self._qr, self._pair_code]
            return [code for code in codes if code is not None and code.expires_at_ms > now_ms]
        return []

    # From start to end

    async def run(self) -> None:
        while True:
            await self._wanted.wait()
            await self._live()
            if self.stage != Stage.ENDED:
                self.stage = Stage.IDLE
            else:
                self._wanted = trio.Event()
            self._woken()

    async def _live(self) -> None:
        """One client after the other, until the session ends or is wanted no more."""
        rounds, pause_s = 0, PAUSE_MIN_S
        while self._wanted.is_set():
            if await self._keys_are_gone():
                await self._end(End(EndKind.LOGGED_OUT, "the keys are gone: this device was removed on the phone"))
                return
            was_ready, verdict = await self._one_client()
            if was_ready:
                pause_s = PAUSE_MIN_S
            match verdict:
                case End():
                    await self._end(verdict)
                    return
                case RoundOver():
                    rounds += 1
                    if rounds >= self._wishes.qr_rounds:
                        await self._end(End(EndKind.PAIRING_TIMEOUT, f"nobody scanned {rounds} series of QR codes"))
                        return
                case Retry(detail, may_have_lost):
                    await self._told_lost(detail, may_have_lost)
                    await self._pause(pause_s)
                    pause_s = min(2 * pause_s, PAUSE_MAX_S)

    async def _keys_are_gone(self) -> bool:
        """A session that was paired has keys. whatsmeow deletes them when the server says so, even while it stops."""
        paired = await trio.to_thread.run_sync(self._spool.marked, PAIRED)
        return paired is not None and not await trio.to_thread.run_sync(self._factory.has_keys, self._directory)

    async def _pause(self, seconds: float) -> None:
        self.stage = Stage.PAUSED
        self._restart = trio.Event()
        with trio.move_on_after(seconds):
            await self._restart.wait()

    async def _told_lost(self, detail: str, may_have_lost: bool) -> None:
        self._log.warning("connection to WhatsApp lost", reason=detail)
        if may_have_lost:
            await self._append(base.Gap(detail))
        self._woken()
        await self._lost(detail)

    async def _end(self, end: End) -> None:
        self._log.warning("session ended", kind=end.kind.value, reason=end.detail)
        until_ms = None if end.for_s is None else time.time_ns() // 1_000_000 + end.for_s * 1000
        if end.kind == EndKind.BAD_CREDENTIALS:
            await self._count_refusal()
        async with self._standing:
            self.stage = Stage.ENDED  # before it is told: the acknowledgement may come at once
            await self._append(base.Ended(end.kind, end.detail, until_ms))

    async def _count_refusal(self) -> None:
        refusals = 1 + int(await trio.to_thread.run_sync(self._spool.marked, REFUSALS) or 0)
        if refusals < REFUSALS_MAX:
            await trio.to_thread.run_sync(self._spool.mark, REFUSALS, str(refusals))
            return
        self._log.warning("the keys were refused again and are given up: the session can be linked anew")
        await trio.to_thread.run_sync(self._spool.mark, REFUSALS, None)
        await trio.to_thread.run_sync(self._factory.remove_keys, self._directory)

    # One client

    async def _one_client(self) -> tuple[bool, Verdict]:
        """(whether it was ready, why it is over). The client has stopped afterwards."""
        send, receive = trio.open_memory_channel[Signal](SIGNALS_MAX)
        intake = self.intake = Intake(
            self._spool,
            poster(self._token, send),
            from_thread(self._token, self._woken),
            from_thread(self._token, self._files_noted),
        )
        proxy = self._wishes.proxy
        self._restart, self.stage, self._qr_shown = trio.Event(), Stage.STARTING, 0
        self._qr = self._pair_code = None
        started_s = trio.current_time()
        try:
            made = await trio.to_thread.run_sync(
                self._factory.make, self._directory, self._wishes.device_name, proxy, intake
            )
        except Exception as error:  # a store that cannot be opened, say: others are not to suffer for it
            self._log.exception("WhatsApp's client could not be made")
            return False, Retry(f"{type(error).__name__}: {error}")
        self.client, intake.counterpart = made, made.counterpart
        try:
            began = await begin(self._gate, made, receive)
            was_ready, verdict = await self._watch(began, receive)
        finally:
            with trio.CancelScope(shield=True):
                self.client = None  # nobody asks it anything from here on
                if self.stage != Stage.ENDED:
                    self.stage = Stage.STARTING
                await stop(self._gate, made, intake)
        if isinstance(verdict, RoundOver) and trio.current_time() - started_s < SHORT_ROUND_S:
            verdict = Retry("the connection went while codes were shown")
        return was_ready, verdict

    async def _watch(self, began: list[Signal], signals: trio.MemoryReceiveChannel[Signal]) -> tuple[bool, Verdict]:
        """Follow the client's signals until one of them, or the time, or somebody, ends it."""
        was_ready, deadline_s = False, trio.current_time() + self._wishes.login_timeout_s
        restart = self._restart
        assert restart is not None  # noqa: S101  # made with the client
        while True:
            signal: Signal | None = None
            if began:
                signal = began.pop(0)
            else:
                with trio.move_on_at(deadline_s):
                    signal = await first(signals, restart)
                if restart.is_set():
                    return was_ready, Retry("restarted")
                if signal is None:
                    return was_ready, Retry(f"no login within {self._wishes.login_timeout_s:g} s")
            if (verdict := verdict_on(signal)) is not None:
                return was_ready, verdict
            await self._follow(signal)
            was_ready = was_ready or self.stage == Stage.READY
            if self.stage in (Stage.READY, Stage.PAIRING):
                deadline_s = float("inf")
            elif deadline_s == float("inf"):
                deadline_s = trio.current_time() + self._wishes.login_timeout_s

    async def _follow(self, signal: Signal) -> None:
        match signal:
            case client.QrShown(code):
                await self._shown(code)
            case client.LoginStatus("success"):
                self.stage = Stage.LOGIN
            case client.Begun(number):
                self.number = number
            case client.Paired(number):
                self.number, self.stage = number, Stage.LOGIN
                await self._tell(base.Authenticated(number, number))
            case client.Connected(number):
                self.number = number
                await self._connected(number)
            case client.Disconnected():
                self.stage = Stage.LOGIN  # it comes back by itself in most cases, and facts tell it
                self._log.info("WhatsApp closed the connection, the client connects again")
                self._woken()
            case client.StreamFailed(code):
                self._log.warning("WhatsApp closed the stream", stream_error=code)
            case client.LoginStatus(status):
                self._log.info("pairing", status=status)

    async def _shown(self, code: str) -> None:
        lifetime_s = NEXT_QR_S if self._qr_shown else FIRST_QR_S
        self._qr_shown += 1
        qr = base.Qr(code, time.time_ns() // 1_000_000 + lifetime_s * 1000)
        async with self._standing:
            self._qr, self.stage = qr, Stage.PAIRING
            await self._append(qr)

    async def _connected(self, number: str) -> None:
        await trio.to_thread.run_sync(self._spool.mark, PAIRED, number)
        await trio.to_thread.run_sync(self._spool.mark, REFUSALS, None)
        self._log.info("connected to WhatsApp")
        async with self._standing:
            self.stage = Stage.READY
            await self._append(base.Authenticated(number, number))
            await self._append(base.Ready())
        self._ready.set()
        self._files_noted()

    async def _tell(self, event: LinkEvent) -> None:
        async with self._standing:
            await self._append(event)

    async def _append(self, event: LinkEvent) -> None:
        await trio.to_thread.run_sync(lambda: self._spool.append(event, waits=False))
        self._woken()
