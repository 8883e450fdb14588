"""Where daemons connect: one WebSocket a session, the newest of which counts."""

import hmac
import re
import sqlite3
from collections.abc import Sequence

import structlog
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, wrap_server_stream

from pombal import __version__
from pombal.gateway import usage
from pombal.gateway.client import ClientFactory
from pombal.gateway.connection import Connection
from pombal.gateway.gate import Gate
from pombal.gateway.options import Options
from pombal.gateway.session import Session, Taken, opened
from pombal.link.wire import CloseCode, ErrorCode, GatewayEnd, WireError
from pombal.link.wire import frames as wire
from pombal.link.wire.frames import RefusedKind
from pombal.link.wire.limits import FRAME_MAX_BYTES, PATH

log = structlog.get_logger()

GREETING_S = 10.0
"""For the handshake and the first frame; whoever says nothing is no daemon."""
CLOSE_S = 2.0
RECEIVE_BUFFER_BYTES = 65_536
CONNECTIONS_MAX = 4_096
CAPABILITIES = ("media", "pair_code")
UNAUTHORIZED_STATUS = 401
SESSION_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_CODES = {
    RefusedKind.PROTOCOL_VERSION: CloseCode.PROTOCOL_VERSION,
    RefusedKind.UNAUTHORIZED: CloseCode.UNAUTHORIZED,
    RefusedKind.NOT_FOUND: CloseCode.NOT_FOUND,
    RefusedKind.UNAVAILABLE: CloseCode.UNAVAILABLE,
    RefusedKind.INVALID: CloseCode.GARBAGE,
}


class Refusing(Exception):
    """This connection is not served."""

    def __init__(self, kind: RefusedKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class _Hosted:
    """A session's place here: opening, served, or closing."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.connection: Connection | None = None
        self.scope = trio.CancelScope()
        self.opened = trio.Event()
        self.gone = trio.Event()
        self.why_not = ""

    def close(self, code: CloseCode, reason: str) -> None:
        if self.connection is not None:
            self.connection.close(code, reason)


class Server:
    """One a process; ``serve`` until it is cancelled, which stops the sessions' clients."""

    def __init__(self, factory: ClientFactory, options: Options, token: str | None) -> None:
        self._factory = factory
        self._options = options
        self._token = token
        self._gate = Gate()
        self._hosted: dict[str, _Hosted] = {}
        self._nursery: trio.Nursery | None = None
        self._connections = 0
        self._is_stopping = False

    async def serve(
        self, listeners: Sequence[trio.abc.Listener[trio.abc.Stream]], *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:  # fmt: skip
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await nursery.start(trio.serve_listeners, self._accepted, listeners)
            task_status.started()

    def stop(self) -> None:
        """Nobody new; what waits for room in a spool waits no longer; the daemons are told. Then cancel ``serve``."""
        self._is_stopping = True
        for hosted in self._hosted.values():
            if hosted.session is not None:
                hosted.session.spool.drain()
            hosted.close(CloseCode.GOING_AWAY, "the gateway stops")

    # One connection

    async def _accepted(self, stream: trio.abc.Stream) -> None:
        """Nothing that one peer does may end the server."""
        self._connections += 1
        try:
            if self._connections <= CONNECTIONS_MAX:
                await self._speak(stream)
        except* (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError, OSError) as error:
            log.debug("a connection broke", reason=repr(error.exceptions[0]))
        except* Exception:
            log.exception("a connection crashed")
        finally:
            self._connections -= 1
            await trio.aclose_forcefully(stream)

    async def _speak(self, stream: trio.abc.Stream) -> None:
        async with trio.open_nursery() as nursery:
            greeted = None
            with trio.move_on_after(GREETING_S):
                greeted = await self._greet(nursery, stream)
            if greeted is not None:
                await self._serve(*greeted)
            nursery.cancel_scope.cancel()

    async def _greet(
        self, nursery: trio.Nursery, stream: trio.abc.Stream
    ) -> tuple[WebSocketConnection, GatewayEnd, wire.DaemonHello, str] | None:
        """The WebSocket's handshake, and the daemon's hello; None for whoever was refused."""
        request = await wrap_server_stream(
            nursery, stream, max_message_size=FRAME_MAX_BYTES, receive_buffer_size=RECEIVE_BUFFER_BYTES
        )
        if not self._is_authorized(request):
            await request.reject(UNAUTHORIZED_STATUS, body=b"a token is needed: Authorization: Bearer ...\n")
            return None
        websocket = await request.accept()
        end = self._end(self._options.max_unacknowledged)
        try:
            session_id = _session_id(request.path)
            payload = await websocket.get_message()
            hello = _hello(end, payload, session_id)
            if hello.max_unacknowledged < self._options.max_unacknowledged:
                end = self._end(hello.max_unacknowledged)
                end.receive(payload)
        except Refusing as refusing:
            await _refuse(websocket, end, refusing)
            return None
        return websocket, end, hello, session_id

    def _end(self, max_unacknowledged: int) -> GatewayEnd:
        return GatewayEnd(
            f"pombal-web {__version__}",
            deduplicates=self._factory.fixes_ids,
            max_unacknowledged=max_unacknowledged,
            capabilities=CAPABILITIES,
        )

    def _is_authorized(self, request: WebSocketRequest) -> bool:
        if self._token is None:
            return True
        given = next((value for name, value in request.headers if name.lower() == b"authorization"), b"")
        return hmac.compare_digest(given, b"Bearer " + self._token.encode())

    async def _serve(
        self, websocket: WebSocketConnection, end: GatewayEnd, hello: wire.DaemonHello, session_id: str
    ) -> None:
        try:
            hosted = await self._host(session_id)
        except Refusing as refusing:
            await _refuse(websocket, end, refusing)
            return
        session = hosted.session
        assert session is not None  # noqa: S101  # it is hosted
        connection = Connection(
            session,
            websocket,
            end,
            max_unacknowledged=min(self._options.max_unacknowledged, hello.max_unacknowledged),
            facts_every_s=self._options.facts_every_s,
        )
        hosted.close(CloseCode.SUPERSEDED, "a newer connection serves this session")
        hosted.connection = session.listener = connection
        log.info("serving", session=session_id, daemon=hello.daemon[:100])
        await websocket.send_message(end.hello())
        await session.greeted(hello)
        code = await connection.serve()
        if hosted.connection is not connection:
            if code == CloseCode.NORMAL:  # stop and start, faster than we looked: another client all the same
                session.life.restart()
            return
        hosted.connection = session.listener = None
        if code == CloseCode.NORMAL:
            log.info("the session is to be left alone", session=session_id)
            session.spool.drain()
            hosted.scope.cancel()

    # Sessions

    async def _host(self, session_id: str) -> _Hosted:
        """The session, opened and not about to close. Raises Refusing."""
        while True:
            hosted = self._hosted.get(session_id) or self._begun(session_id)
            if hosted.scope.cancel_called:
                await hosted.gone.wait()
                continue
            await hosted.opened.wait()
            if hosted.session is None:
                raise Refusing(RefusedKind.UNAVAILABLE, hosted.why_not)
            if self._hosted.get(session_id) is hosted and not hosted.scope.cancel_called:  # others ran while we waited
                return hosted

    def _begun(self, session_id: str) -> _Hosted:
        self._check_room()
        assert self._nursery is not None  # noqa: S101  # it is set before anybody is accepted
        hosted = self._hosted[session_id] = _Hosted()
        self._nursery.start_soon(self._run, session_id, hosted)
        return hosted

    def _check_room(self) -> None:
        if self._is_stopping:
            raise Refusing(RefusedKind.UNAVAILABLE, "the gateway is stopping")
        if len(self._hosted) >= self._options.max_sessions:
            raise Refusing(RefusedKind.UNAVAILABLE, f"the gateway serves {len(self._hosted)} sessions and no more")
        if (there := usage.descriptors()) >= self._options.descriptors_max:
            raise Refusing(RefusedKind.UNAVAILABLE, f"the gateway has {there} descriptors and takes no new session")

    async def _run(self, session_id: str, hosted: _Hosted) -> None:
        directory = self._options.state_dir / session_id
        try:
            with hosted.scope:
                async with opened(directory, self._factory, self._gate, self._options) as session:
                    hosted.session = session
                    hosted.opened.set()
                    await session.run()
        except (Taken, OSError, sqlite3.Error) as error:
            hosted.why_not = f"the session's directory cannot be used: {error}"
            log.warning("a session cannot be served", session=session_id, reason=hosted.why_not)
        except Exception:  # its neighbours go on, and the daemon connects again
            log.exception("a session crashed", session=session_id)
        finally:
            del self._hosted[session_id]
            hosted.opened.set()
            hosted.gone.set()
            hosted.close(CloseCode.GOING_AWAY, "the session is no longer served here")


def _session_id(path: str) -> str:
    """A gateway elsewhere may be behind a prefix."""
    session_id = path.partition("?")[0].rpartition(PATH)[2]
    if PATH not in path or not SESSION_ID.fullmatch(session_id):
        raise Refusing(RefusedKind.NOT_FOUND, f"there is nothing here but {PATH}<session id>")
    return session_id


def _hello(end: GatewayEnd, payload: str | bytes, session_id: str) -> wire.DaemonHello:
    try:
        hello = end.receive(payload)
    except WireError as error:
        is_version = error.code == ErrorCode.PROTOCOL_VERSION
        kind = RefusedKind.PROTOCOL_VERSION if is_version else RefusedKind.INVALID
        raise Refusing(kind, error.detail) from error
    if not isinstance(hello, wire.DaemonHello):
        raise Refusing(RefusedKind.INVALID, "the daemon's first frame must be hello")
    if hello.session.id != session_id:
        raise Refusing(RefusedKind.INVALID, "the hello is of another session than the path")
    return hello


async def _refuse(websocket: WebSocketConnection, end: GatewayEnd, refusing: Refusing) -> None:
    log.warning("a connection was refused", kind=refusing.kind.value, reason=refusing.detail)
    await websocket.send_message(end.refused(refusing.kind, refusing.detail))
    with trio.move_on_after(CLOSE_S):
        await websocket.aclose(_CODES[refusing.kind], refusing.kind.value)
