"""session.*: the life of a session, and what is known of it."""

import sqlite3
from collections.abc import Callable
from typing import Any

import trio

from pombal.link.base import PairCode
from pombal.model import latency_results
from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Caller, Role
from pombal.model.changes import CreateSession, UpdateSession
from pombal.model.errors import Kind, PombalError, invalid, no_session
from pombal.model.ids import new_ulid
from pombal.model.phone import parse_number
from pombal.model.session import NOT_LIVE, LinkKind, Session, SessionRow, show_session
from pombal.model.session_state import ADVICE, CONNECTING, QRCODE
from pombal.service.deps import Deps
from pombal.service.latency_methods import LatencyMethods
from pombal.service.pages import cursor_number, split
from pombal.session import commands
from pombal.session.seat import Code, Seat
from pombal.store.event_log import last_seq
from pombal.store.session_queries import SessionFilter, count_sessions, list_sessions, sessions_named

# A session that has just been created shows its first code within this time, or has something else to say.
CODE_WAIT_S = 10.0

CheckSettings = Callable[[dict[str, Any]], object]


class SessionMethods:
    """check_settings: for each link that can be used, what refuses bad `settings` of a session."""

    def __init__(self, deps: Deps, latency: LatencyMethods, check_settings: dict[LinkKind, CheckSettings]) -> None:
        self._deps = deps
        self._latency = latency
        self._check_settings = check_settings

    async def create(self, params: p.SessionCreateParams, caller: Caller) -> Session:
        settings = self._deps.live.current.sessions
        _check_owner(params.owner, caller)
        link = self._usable(params.link or settings.default_link)
        self._check_settings[link](params.settings or {})
        row: SessionRow = await self._deps.recorder.commit(
            CreateSession(
                at=self._deps.clock(),
                id=new_ulid(),
                name=params.name,
                owner=params.owner or caller.owner or settings.default_owner,
                link=link,
                is_active=params.start,
                device_name=params.device_name,
                phone_number=parse_number(params.phone_number) if params.phone_number else None,
                settings=params.settings or {},
            )
        )
        return self._show(await self._started(row) if params.start else row)

    async def _started(self, row: SessionRow) -> SessionRow:
        """As it is once it has been started. If its link crashes at that, it is there all the same, and says so."""
        try:
            started: SessionRow = await self._deps.registry.ask(self._deps.registry.find(row.id), commands.Start())
        except PombalError as error:
            if error.kind != Kind.CRASHED:
                raise
            return row
        return started

    async def update(self, params: p.SessionUpdateParams, caller: Caller) -> Session:
        seat = self._deps.seat(params.name, caller)
        fields = params.changes()
        _check_owner(fields.get("owner"), caller)
        if "settings" in fields:
            self._check_settings[self._usable(seat.link)](fields["settings"])
        row: SessionRow = await self._deps.recorder.commit(
            UpdateSession(at=self._deps.clock(), session_key=seat.key, fields=fields)
        )
        return self._show(row)

    async def start(self, params: p.SessionNameParams, caller: Caller) -> Session:
        return await self._ask(params.name, commands.Start(), caller)

    async def stop(self, params: p.SessionNameParams, caller: Caller) -> Session:
        return await self._ask(params.name, commands.Stop(), caller)

    async def restart(self, params: p.SessionNameParams, caller: Caller) -> Session:
        return await self._ask(params.name, commands.Restart(), caller)

    async def logout(self, params: p.SessionNameParams, caller: Caller) -> Session:
        return await self._ask(params.name, commands.Logout(), caller)

    async def delete(self, params: p.SessionDeleteParams, caller: Caller) -> r.SessionDeleted:
        seat = self._deps.seat(params.name, caller)
        return r.SessionDeleted(**await self._deps.registry.ask(seat, commands.Delete(params.purge)))

    async def get(self, params: p.SessionNameParams, caller: Caller) -> Session:
        return self._show(await self._row(params.name, caller))

    async def list(self, params: p.SessionListParams, caller: Caller) -> r.SessionPage:
        owner = caller.owner if caller.role == Role.USER else params.owner
        wanted = SessionFilter(
            owner=owner,
            status=params.status,
            is_active=params.is_active,
            link=params.link,
            search=params.search,
            past_key=cursor_number(params.cursor) or 0,
            limit=params.limit + 1,
        )

        def query(connection: sqlite3.Connection) -> tuple[list[SessionRow], int, int | None]:
            count = count_sessions(connection, wanted) if params.count else None
            return list_sessions(connection, wanted), last_seq(connection), count

        rows, seq, count = await self._deps.reader.run(query)
        page, cursor = split(rows, params.limit, lambda row: row.key)
        return r.SessionPage(results=[self._show(row) for row in page], next=cursor, last_seq=seq, count=count)

    async def qr(self, params: p.SessionNameParams, caller: Caller) -> r.LinkCode:
        seat = self._deps.seat(params.name, caller)
        await self._until_shown(seat)
        shown = self._link_code(seat, seat.qr)
        await self._until_recorded()
        return shown

    async def pair_code(self, params: p.PairCodeParams, caller: Caller) -> r.LinkCode:
        seat = self._deps.seat(params.name, caller)
        number = parse_number(params.phone_number)
        await self._until_shown(seat)
        self._link_code(seat, seat.qr)
        made: PairCode = await self._deps.registry.ask(seat, commands.GetPairCode(number))
        await self._until_recorded()
        return r.LinkCode(code=made.code, expires_at=made.expires_at_ms)

    async def metrics(self, params: p.SessionNameParams, caller: Caller) -> latency_results.SessionMetrics:
        seat = self._deps.seat(params.name, caller)
        shown = self._show(await self._row(params.name, caller))
        tried = shown.total_messages_sent + shown.total_messages_failed
        return latency_results.SessionMetrics(
            session=shown.name,
            status=shown.status,
            uptime_seconds=shown.uptime_seconds,
            total_messages_sent=shown.total_messages_sent,
            total_messages_received=shown.total_messages_received,
            total_messages_failed=shown.total_messages_failed,
            error_count=shown.error_count,
            restart_count=shown.restart_count,
            error_rate=shown.total_messages_failed / tried if tried else 0.0,
            outbox_depth=seat.outbox.depth,
            latency=await self._latency.stats(p.LatencyParams(session=seat.id), caller),
        )

    async def _ask(self, name: str, command: commands.Command, caller: Caller) -> Session:
        return self._show(await self._deps.registry.ask(self._deps.seat(name, caller), command))

    async def _row(self, name: str, caller: Caller) -> SessionRow:
        """The session as it is stored; a deleted one by its id."""
        row = await self._deps.reader.run(lambda connection: sessions_named(connection, name))
        if row is None or (caller.role == Role.USER and row.owner != caller.owner):
            raise no_session(name)
        return row

    async def _until_shown(self, seat: Seat) -> None:
        """Wait for the first code of a session that is on its way to one."""
        with trio.move_on_after(CODE_WAIT_S):
            while seat.qr is None and seat.state.place in (CONNECTING, QRCODE):
                await self._deps.hub.news()

    async def _until_recorded(self) -> None:
        """A code is shown once it is on disk, with its state: behind all that was submitted before."""
        with trio.move_on_after(CODE_WAIT_S) as waited:
            await self._deps.recorder.commit_all([])
        if waited.cancelled_caught:
            raise PombalError(Kind.UNAVAILABLE, "the code is not recorded yet, the store cannot be written; ask again")

    def _link_code(self, seat: Seat, code: Code | None) -> r.LinkCode:
        if code is None or code.expires_at_ms <= self._deps.clock().wall_ms:
            why = ADVICE.get(seat.state.reason) if seat.state.reason else None
            raise PombalError(
                Kind.NOT_READY,
                f"session {seat.name!r} shows no code: it is {seat.state.status}" + (f" ({why})" if why else ""),
            )
        return r.LinkCode(code=code.code, expires_at=code.expires_at_ms)

    def _usable(self, link: LinkKind | None) -> LinkKind:
        if link is None:
            raise invalid("link: say which (simulator, web or cloud), or set [sessions] default_link")
        if link not in self._check_settings:
            why = (
                "the simulator is switched off ([simulator] enabled = true allows it)"
                if link == LinkKind.SIMULATOR
                else f"the link {link} is not built yet"
            )
            raise PombalError(Kind.UNSUPPORTED, why)
        return link

    def _show(self, row: SessionRow) -> Session:
        seat = self._deps.registry.by_key(row.key)
        return show_session(row, seat.live_facts() if seat else NOT_LIVE, self._deps.clock().wall_ms)


def _check_owner(owner: str | None, caller: Caller) -> None:
    """Raises PombalError (forbidden) where a user would give a session to somebody else."""
    if caller.role == Role.USER and owner is not None and owner != caller.owner:
        raise PombalError(Kind.FORBIDDEN, f"owner: {caller.name} may only have sessions of their own")
