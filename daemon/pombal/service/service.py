"""The service: every method of the catalog, and who carries it out."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from pydantic import BaseModel

from pombal.hub.subscription import Subscription
from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind, PombalError
from pombal.model.params import SendParams
from pombal.model.results import MediaStored
from pombal.model.session import LinkKind
from pombal.service.audit_methods import AuditMethods
from pombal.service.auditing import Auditing
from pombal.service.base import ReceiveChunk, SendAnswer
from pombal.service.chat_methods import ChatMethods
from pombal.service.daemon_methods import DaemonMethods
from pombal.service.deps import Deps
from pombal.service.event_methods import EventMethods
from pombal.service.figure_methods import FigureMethods
from pombal.service.latency_methods import LatencyMethods
from pombal.service.message_methods import MessageMethods
from pombal.service.rights_methods import RightsMethods
from pombal.service.sending import Batch, send
from pombal.service.session_methods import CheckSettings, SessionMethods
from pombal.service.simulator_methods import SimulatorMethods
from pombal.service.token_methods import TokenMethods
from pombal.service.uploads import MediaMethods

# Not for a user, who sees and touches only their own sessions.
ABOUT_ALL = ("audit.", "contact.eras", "contact.export", "daemon.", "token.")

Handler = Callable[[Any, Caller], Awaitable[BaseModel]]


class PombalService:
    """What transports ask, carried out; implements service.base.Service."""

    def __init__(self, deps: Deps, check_settings: dict[LinkKind, CheckSettings]) -> None:
        daemon, latency, messages = DaemonMethods(deps), LatencyMethods(deps), MessageMethods(deps)
        sessions, self._media = SessionMethods(deps, latency, check_settings), MediaMethods(deps)
        simulator, tokens = SimulatorMethods(deps), TokenMethods(deps)
        self._deps, self._events, self._auditing = deps, EventMethods(deps), Auditing(deps)
        rights = RightsMethods(deps, self._auditing)
        self.handlers: dict[str, Handler] = {
            "daemon.status": daemon.status,
            "daemon.actors": daemon.actors,
            "daemon.internals": daemon.internals,
            "daemon.reload": daemon.reload,
            "session.create": sessions.create,
            "session.update": sessions.update,
            "session.start": sessions.start,
            "session.stop": sessions.stop,
            "session.restart": sessions.restart,
            "session.logout": sessions.logout,
            "session.get": sessions.get,
            "session.delete": sessions.delete,
            "session.list": sessions.list,
            "session.qr": sessions.qr,
            "session.pair_code": sessions.pair_code,
            "session.metrics": sessions.metrics,
            "session.figures": FigureMethods(deps).sessions,
            "chat.list": ChatMethods(deps).list,
            "message.get": messages.get,
            "message.list": messages.list,
            "message.high_latency": messages.high_latency,
            "message.mark_read": messages.mark_read,
            "message.cancel": messages.cancel,
            "message.resend": messages.resend,
            "contact.check": messages.check_contacts,
            "contact.export": rights.export,
            "contact.export_chunk": rights.export_chunk,
            "contact.erase": rights.erase,
            "contact.erasure": rights.erasure,
            "latency.stats": latency.stats,
            "latency.series": latency.series,
            "events.list": self._events.list,
            "media.put": self._media.put,
            "media.get": self._media.get,
            "token.create": tokens.create,
            "audit.list": AuditMethods(deps).list,
            "simulator.scan": simulator.scan,
            "simulator.inject": simulator.inject,
            "simulator.fault": simulator.fault,
        }

    async def call(self, method: str, params: BaseModel, caller: Caller) -> BaseModel:
        """Carry out a method of the catalog. Raises PombalError for what is refused."""
        handler = self.handlers.get(method)
        if handler is None:
            raise PombalError(Kind.UNSUPPORTED, f"{method} cannot be called here")
        async with self._auditing.of(method, params, caller):
            return await self._carry_out(handler, method, params, caller)

    @staticmethod
    async def _carry_out(handler: Handler, method: str, params: BaseModel, caller: Caller) -> BaseModel:
        if caller.role == Role.USER and method.startswith(ABOUT_ALL):
            raise PombalError(Kind.FORBIDDEN, f"{method} is about more than your own sessions; it takes the role admin")
        return await handler(params, caller)

    async def send(self, params: SendParams, caller: Caller) -> SendAnswer:
        return await send(self._deps, params, caller)

    def sends(self, caller: Caller) -> Batch:
        return Batch(self._deps, caller)

    async def put_media(self, receive: ReceiveChunk, caller: Caller) -> MediaStored:
        return await self._media.take_in(receive, caller)

    async def media_size(self, sha256: str) -> int:
        return await self._media.size_of(sha256)

    def subscribe(
        self,
        *,
        after: int | None,
        sessions: Sequence[str] | None,
        types: Sequence[str] | None,
        log_id: str | None,
        transport: str,
        caller: Caller,
    ) -> AbstractAsyncContextManager[Subscription]:
        return self._events.subscribe(after, sessions, types, log_id, transport, caller)
