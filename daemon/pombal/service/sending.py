"""message.send: checked here, decided in the writer's transaction, answered after the commit."""

import secrets
from collections.abc import Sequence
from typing import Any

from pombal.model.caller import Caller
from pombal.model.changes import Queued, QueueMessage
from pombal.model.clock import Stamp
from pombal.model.content import content_hash
from pombal.model.errors import PombalError
from pombal.model.ids import new_ulid
from pombal.model.message import MessageType
from pombal.model.params import SendParams
from pombal.model.phone import parse_recipient
from pombal.model.text import sendable
from pombal.service.accepting import not_accepting
from pombal.service.base import SendAnswer, SendReply
from pombal.service.deps import Deps
from pombal.session.seat import Seat

LINK_ID_BYTES = 9


def new_link_id() -> str:
    """WhatsApp's form of a message id, as its own web client makes them: 3EB0 and 18 hexadecimal digits."""
    return f"3EB0{secrets.token_hex(LINK_ID_BYTES).upper()}"


class Batch:
    """Implements service.base.Sends: one submission for what comes in one piece, and one who hears of its answers."""

    def __init__(self, deps: Deps, caller: Caller) -> None:
        self._deps = deps
        self._caller = caller
        self._changes: list[QueueMessage] = []
        self._replies: list[tuple[SendReply, str]] = []

    def add(self, params: SendParams, reply: SendReply) -> None:
        seat = self._deps.seat(params.session, self._caller)
        self._changes.append(_change(seat, params, self._deps.clock()))
        self._replies.append((reply, seat.name))

    async def place(self) -> None:
        if not self._changes:
            return
        changes, self._changes = self._changes, []
        replies, self._replies = self._replies, []

        def answered(answers: Sequence[Any]) -> None:
            for (reply, session), answer in zip(replies, answers, strict=True):
                reply(_answer(answer, session))

        try:
            await self._deps.recorder.submit(changes, answered)
        except PombalError as refusal:
            answered([refusal] * len(changes))


async def send(deps: Deps, params: SendParams, caller: Caller) -> SendAnswer:
    """One send, and its answer. Raises PombalError."""
    seat = deps.seat(params.session, caller)
    queued: Queued = await deps.recorder.commit(_change(seat, params, deps.clock()))
    return SendAnswer(queued.message, seat.name, queued.created)


def _change(seat: Seat, params: SendParams, at: Stamp) -> QueueMessage:
    """Raises PombalError where it is refused whatever the store knows."""
    refusal = not_accepting(seat)
    if refusal is not None and params.message_id is None:
        raise refusal
    recipient = parse_recipient(params.to)
    text = None if params.text is None else sendable(params.text)
    content = _content(params)
    return QueueMessage(
        at=at,
        session_key=seat.key,
        message_id=params.message_id or new_ulid(),
        link_id=new_link_id(),
        message_type=params.type,
        chat_id=recipient.chat_id,
        contact_number=recipient.contact_number,
        text=text,
        content=content,
        quoted_message_id=params.quoted_message_id,
        content_hash=content_hash(recipient, params.type, text, content, params.quoted_message_id),
        refusal=refusal,
    )


def _content(params: SendParams) -> dict[str, Any] | None:
    if params.type == MessageType.TEXT:
        return None
    parts = {"media": params.media, "location": params.location, "contact": params.contact, "reaction": params.reaction}
    return {name: part.model_dump() for name, part in parts.items() if part is not None} or None


def _answer(answer: Any, session: str) -> SendAnswer | PombalError:
    if isinstance(answer, Queued):
        return SendAnswer(answer.message, session, answer.created)
    assert isinstance(answer, PombalError)  # noqa: S101  # a queueing is accepted or refused
    return answer
