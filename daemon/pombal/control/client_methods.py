"""The methods of the daemon as typed Python: one method each, named like it with '_' for '.'.

Arguments are the params of docs/control-protocol.md; None leaves one out. All raise RemoteError or Disconnected.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from pombal.model import daemon_results, latency_results
from pombal.model import results as r
from pombal.model.message import Message
from pombal.model.session import Session

Answer = TypeVar("Answer", bound=BaseModel)


class TypedMethods:
    """Needs ``call``; holds nothing of its own."""

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The raw result object."""
        raise NotImplementedError

    async def _ask(self, method: str, answer: type[Answer], /, **params: Any) -> Answer:
        given = {name: value for name, value in params.items() if value is not None}
        return answer.model_validate(await self.call(method, given))

    # The daemon

    async def daemon_status(self) -> daemon_results.DaemonStatus:
        return await self._ask("daemon.status", daemon_results.DaemonStatus)

    async def daemon_actors(
        self,
        *,
        kind: str | None = None,
        crashed: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> daemon_results.ActorPage:
        params = {"kind": kind, "crashed": crashed, "limit": limit, "cursor": cursor}
        return await self._ask("daemon.actors", daemon_results.ActorPage, **params)

    async def daemon_internals(self) -> daemon_results.DaemonInternals:
        return await self._ask("daemon.internals", daemon_results.DaemonInternals)

    async def daemon_reload(self) -> daemon_results.Reloaded:
        return await self._ask("daemon.reload", daemon_results.Reloaded)

    # Sessions

    async def session_create(self, name: str, **params: Any) -> Session:
        """params: link, owner, phone_number, device_name, settings, start."""
        return await self._ask("session.create", Session, name=name, **params)

    async def session_update(self, name: str, **changes: Any) -> Session:
        """changes: owner, device_name (None: back to the default), settings."""
        return Session.model_validate(await self.call("session.update", {"name": name, **changes}))

    async def session_start(self, name: str) -> Session:
        return await self._ask("session.start", Session, name=name)

    async def session_stop(self, name: str) -> Session:
        return await self._ask("session.stop", Session, name=name)

    async def session_restart(self, name: str) -> Session:
        return await self._ask("session.restart", Session, name=name)

    async def session_logout(self, name: str) -> Session:
        return await self._ask("session.logout", Session, name=name)

    async def session_get(self, name: str) -> Session:
        return await self._ask("session.get", Session, name=name)

    async def session_delete(self, name: str, *, purge: bool = False) -> r.SessionDeleted:
        return await self._ask("session.delete", r.SessionDeleted, name=name, purge=purge)

    async def session_list(self, **filters: Any) -> r.SessionPage:
        """filters: status, is_active, owner, link, search, limit, cursor."""
        return await self._ask("session.list", r.SessionPage, **filters)

    async def session_qr(self, name: str) -> r.LinkCode:
        return await self._ask("session.qr", r.LinkCode, name=name)

    async def session_pair_code(self, name: str, phone_number: str) -> r.LinkCode:
        return await self._ask("session.pair_code", r.LinkCode, name=name, phone_number=phone_number)

    async def session_metrics(self, name: str) -> latency_results.SessionMetrics:
        return await self._ask("session.metrics", latency_results.SessionMetrics, name=name)

    async def session_figures(self, **filters: Any) -> latency_results.SessionFiguresList:
        """filters: sessions, since, until, limit."""
        return await self._ask("session.figures", latency_results.SessionFiguresList, **filters)

    # Messages and contacts

    async def chat_list(self, session: str, **filters: Any) -> r.ChatPage:
        """filters: search, limit, cursor."""
        return await self._ask("chat.list", r.ChatPage, session=session, **filters)

    async def message_send(self, session: str, to: str, **params: Any) -> Message:
        """params: type, text, media, location, contact, reaction, quoted_message_id, message_id."""
        return await self._ask("message.send", Message, session=session, to=to, **params)

    async def message_get(
        self, session: str | None = None, message_id: str | None = None, *, id: int | None = None
    ) -> Message:
        """By session and message_id, or by id."""
        return await self._ask("message.get", Message, session=session, message_id=message_id, id=id)

    async def message_list(self, **filters: Any) -> r.MessagePage:
        """filters: session, direction, message_type, status, origin, chat_id, contact_number, since, until, search,
        order, limit, cursor."""
        return await self._ask("message.list", r.MessagePage, **filters)

    async def message_high_latency(self, **filters: Any) -> r.MessagePage:
        """filters: as message_list, and threshold_ms."""
        return await self._ask("message.high_latency", r.MessagePage, **filters)

    async def message_mark_read(self, session: str, message_ids: Sequence[str]) -> r.Marked:
        return await self._ask("message.mark_read", r.Marked, session=session, message_ids=list(message_ids))

    async def message_cancel(self, session: str, message_id: str) -> Message:
        return await self._ask("message.cancel", Message, session=session, message_id=message_id)

    async def message_resend(self, session: str, message_id: str) -> Message:
        return await self._ask("message.resend", Message, session=session, message_id=message_id)

    async def contact_check(self, session: str, numbers: Sequence[str]) -> r.ContactsChecked:
        return await self._ask("contact.check", r.ContactsChecked, session=session, numbers=list(numbers))

    # Latency and events

    async def latency_stats(
        self,
        *,
        session: str | None = None,
        direction: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> latency_results.LatencyStats:
        return await self._ask(
            "latency.stats",
            latency_results.LatencyStats,
            session=session,
            direction=direction,
            since=since,
            until=until,
        )

    async def latency_series(
        self, *, session: str | None = None, since: str = "1h", until: str | None = None
    ) -> latency_results.LatencySeries:
        return await self._ask(
            "latency.series", latency_results.LatencySeries, session=session, since=since, until=until
        )

    async def events_list(self, **filters: Any) -> r.EventPage:
        """filters: after, sessions, types, log_id, limit."""
        return await self._ask("events.list", r.EventPage, **filters)

    # Media

    async def media_put(
        self, data: bytes, *, upload: str | None = None, offset: int = 0, sha256: str | None = None
    ) -> r.MediaPutAnswer:
        """One chunk; put_media does it for a whole file."""
        encoded = base64.b64encode(data).decode()
        return await self._ask("media.put", r.MediaPutAnswer, upload=upload, offset=offset, data=encoded, sha256=sha256)

    async def media_get(self, sha256: str, *, offset: int = 0, limit: int | None = None) -> r.MediaChunk:
        """One chunk; get_media does it for a whole file."""
        return await self._ask("media.get", r.MediaChunk, sha256=sha256, offset=offset, limit=limit)

    # Tokens

    async def token_create(self, owner: str, **params: Any) -> r.TokenCreated:
        """params: role, expires_s, sign_in_link."""
        return await self._ask("token.create", r.TokenCreated, owner=owner, **params)

    # The rights of a contact

    async def contact_export(self, number: str) -> r.ContactExport:
        return await self._ask("contact.export", r.ContactExport, number=number)

    async def contact_export_chunk(self, export: str, *, offset: int = 0, limit: int | None = None) -> r.MediaChunk:
        """One chunk; after the last one (eof) the export is gone."""
        return await self._ask("contact.export_chunk", r.MediaChunk, export=export, offset=offset, limit=limit)

    async def contact_erase(self, number: str, *, wait_s: float | None = None) -> r.Erasure:
        """Answered when it is done, or after wait_s."""
        return await self._ask("contact.erase", r.Erasure, number=number, wait_s=wait_s)

    async def contact_erasure(self, erasure: str) -> r.Erasure:
        return await self._ask("contact.erasure", r.Erasure, erasure=erasure)

    # The audit log

    async def audit_list(self, **filters: Any) -> r.AuditPage:
        """filters: method, owner, uid, outcome, session, since, until, limit, cursor."""
        return await self._ask("audit.list", r.AuditPage, **filters)

    # The simulator

    async def simulator_scan(self, name: str) -> r.Scanned:
        return await self._ask("simulator.scan", r.Scanned, name=name)

    async def simulator_inject(self, name: str, from_: str, **params: Any) -> r.Injected:
        """params: text, type, count."""
        return await self._ask("simulator.inject", r.Injected, name=name, **{"from": from_}, **params)

    async def simulator_fault(self, name: str, kind: str) -> r.Faulted:
        return await self._ask("simulator.fault", r.Faulted, name=name, kind=kind)
