"""Sends, on their way to WhatsApp: in order within a chat, one at a time, under the id that they were given."""

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import structlog
import trio

from pombal.gateway.client import Client, ClientError, ClientFactory, FileKind, Refusal, Uploaded
from pombal.gateway.failures import is_passing
from pombal.gateway.files import Files
from pombal.gateway.gate import Gate
from pombal.gateway.intake import quotable
from pombal.gateway.life import Life
from pombal.gateway.outgoing import Referred, built, file_kind, referred_id
from pombal.gateway.spool import Recent, Spool
from pombal.link import base
from pombal.link.base import LinkEvent, Outgoing
from pombal.model.phone import GROUP_SERVER, USER_SERVER

log = structlog.get_logger()
T = TypeVar("T")

TRIES = 3
PATIENCE_S = 20.0
RETRY_S = 1.0
RESTRICTED_S = 3_600
"""After error 463 WhatsApp says no end; so long, nothing is tried."""
UPLOAD_MIN_S, UPLOAD_BYTES_PER_S = 60.0, 50_000
WAITING_MAX = 1_000
UPLOADS_KEPT = 200


class Sending:
    """For one session; ``run`` for as long as the process hosts it."""

    def __init__(
        self, life: Life, spool: Spool, files: Files, factory: ClientFactory, gate: Gate, woken: Callable[[], None]
    ) -> None:
        self._life = life
        self._spool = spool
        self._files = files
        self._factory = factory
        self._gate = gate
        self._woken = woken
        self._chats: dict[str, deque[Outgoing]] = {}
        self._waiting: set[str] = set()
        self._has_room = trio.Condition()
        self._turn = trio.CapacityLimiter(1)
        self._upload_turn = trio.CapacityLimiter(1)
        self._uploads: dict[tuple[str, FileKind], Uploaded] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await trio.sleep_forever()

    async def take(self, outgoing: Outgoing) -> None:
        """Returns once it has its place. One that is on its way already, under the same id, is the same message.

        Raises Refusal (media_missing) for one whose file is not here.
        """
        nursery = self._nursery
        if (sha256 := _file_of(outgoing)) and not await trio.to_thread.run_sync(self._files.to_send, sha256):
            raise Refusal("media_missing", "the gateway does not have the file")
        if nursery is None or outgoing.link_id in self._waiting:
            return
        async with self._has_room:
            while len(self._waiting) >= WAITING_MAX:
                await self._has_room.wait()
        self._waiting.add(outgoing.link_id)
        if outgoing.chat_id in self._chats:
            self._chats[outgoing.chat_id].append(outgoing)
        else:
            self._chats[outgoing.chat_id] = deque([outgoing])
            nursery.start_soon(self._work_off, outgoing.chat_id)

    async def _work_off(self, chat_id: str) -> None:
        chat = self._chats[chat_id]
        while chat:
            outgoing = chat[0]
            try:
                await self._carry_out(outgoing)
            except Exception:  # one message's fault is not the next one's
                log.exception("a send broke", link_id=outgoing.link_id)
                await self._tell(base.Failed(outgoing.link_id, "refused", "the gateway could not send it; see its log"))
            chat.popleft()
            self._waiting.discard(outgoing.link_id)
            async with self._has_room:
                self._has_room.notify_all()
        del self._chats[chat_id]

    async def _carry_out(self, outgoing: Outgoing) -> None:
        known, referred = await trio.to_thread.run_sync(self._looked_up, outgoing)
        if known is not None and known.sent_s is not None:
            await self._tell(base.Sent(outgoing.link_id, known.sent_s))  # before a crash, unknown to who sends it again
            return
        for attempt in range(1, TRIES + 1):
            with trio.move_on_after(PATIENCE_S):  # for a short drop, which the client mends by itself
                await self._life.alive()
            if (client := self._life.client) is None or not self._life.is_alive:
                return  # the daemon hands it over again when the session is ready
            try:
                await self._try(client, outgoing, referred)
            except Refusal as refusal:
                await self._refused(outgoing, refusal)
            except ClientError as error:
                log.warning("a send was not answered", link_id=outgoing.link_id, attempt=attempt, reason=str(error))
                if self._factory.fixes_ids and attempt < TRIES:
                    await trio.sleep(RETRY_S)
                    continue
                if not self._may_go_yet(error):
                    await self._tell(base.Failed(outgoing.link_id, "refused", str(error)[:200]))
            return

    def _may_go_yet(self, error: ClientError) -> bool:
        """Whether it may have gone, or may go another time: then nobody says that it failed."""
        return not self._life.is_alive or is_passing(str(error))

    async def _try(self, client: Client, outgoing: Outgoing, referred: Referred | None) -> None:
        uploaded = await self._uploaded(client, outgoing)
        own = f"{self._life.number}@{USER_SERVER}"
        now_ms = time.time_ns() // 1_000_000
        try:
            message = built(
                self._factory.protobufs, outgoing, own=own, now_ms=now_ms, referred=referred, uploaded=uploaded
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Refusal("refused", f"the message cannot be built: {error}") from error
        async with self._turn:
            await self._call(lambda: self._sent(client, outgoing, message))
        self._woken()

    def _sent(self, client: Client, outgoing: Outgoing, message: Any) -> None:
        """In a thread: WhatsApp's answer is on disk before anything else happens."""
        answer = client.send(outgoing.chat_id, message, outgoing.link_id)
        if answer.link_id != outgoing.link_id:
            self._spool.alias(answer.link_id, outgoing.link_id)
        recent = Recent(outgoing.link_id, "", True, quotable(message), answer.timestamp_s)
        self._spool.append(base.Sent(outgoing.link_id, answer.timestamp_s), recent=recent, waits=False)

    async def _refused(self, outgoing: Outgoing, refusal: Refusal) -> None:
        await self._tell(base.Failed(outgoing.link_id, refusal.kind, refusal.detail))
        if refusal.kind == "restricted":
            until_ms = time.time_ns() // 1_000_000 + RESTRICTED_S * 1000
            await self._tell(base.Restricted(until_ms, refusal.detail))

    def _looked_up(self, outgoing: Outgoing) -> tuple[Recent | None, Referred | None]:
        """In a thread: (the message, if it was sent before; what it refers to)."""
        known, link_id = self._spool.recent(outgoing.link_id), referred_id(outgoing)
        if link_id is None:
            return known, None
        whatsapp_id, recent = self._spool.whatsapp_id_of(link_id), self._spool.recent(link_id)
        if recent is None:  # too long ago to be known here: in a chat of two it was the other, in most cases
            author = "" if outgoing.chat_id.endswith(GROUP_SERVER) else outgoing.chat_id
            return known, Referred(whatsapp_id, author, False)
        return known, Referred(whatsapp_id, recent.author, recent.is_ours, recent.message)

    # Files

    async def _uploaded(self, client: Client, outgoing: Outgoing) -> Uploaded | None:
        kind = file_kind(outgoing.message_type)
        if kind is None:
            return None
        sha256 = _file_of(outgoing) or ""
        if (sha256, kind) in self._uploads:
            return self._uploads[sha256, kind]
        async with self._upload_turn:  # a file is whole in memory while WhatsApp's client encrypts it
            path = await trio.to_thread.run_sync(self._files.to_send, sha256)
            if path is None:
                raise Refusal("media_missing", "the gateway does not have the file")
            uploaded = await self._upload(client, path, kind)
        self._uploads[sha256, kind] = uploaded
        while len(self._uploads) > UPLOADS_KEPT:
            del self._uploads[next(iter(self._uploads))]
        return uploaded

    async def _upload(self, client: Client, path: Path, kind: FileKind) -> Uploaded:
        size_bytes = await trio.to_thread.run_sync(os.path.getsize, path)
        deadline_s = UPLOAD_MIN_S + size_bytes / UPLOAD_BYTES_PER_S
        with trio.move_on_after(deadline_s):
            return await self._call(lambda: client.upload(path, kind), abandons=True)
        raise ClientError(f"an upload timed out after {deadline_s:.0f} s")

    async def _call(self, question: Callable[[], T], *, abandons: bool = False) -> T:
        async with self._gate.call():
            return await trio.to_thread.run_sync(question, abandon_on_cancel=abandons)

    async def _tell(self, event: LinkEvent) -> None:
        await trio.to_thread.run_sync(lambda: self._spool.append(event, waits=False))
        self._woken()


def _file_of(outgoing: Outgoing) -> str | None:
    """The sha256 of its file, where its type has one."""
    media = (outgoing.content or {}).get("media")
    return str(media["sha256"]) if media and file_kind(outgoing.message_type) else None
