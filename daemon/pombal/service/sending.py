"""message.send: checked here, decided in the writer's transaction, answered after the commit."""

import secrets
from collections.abc import Sequence
from typing import Any

from pombal.model.caller import Caller
from pombal.model.changes import Queued, QueueMessage
from pombal.model.content import content_hash
from pombal.model.errors import PombalError
from pombal.model.ids import new_ulid
from pombal.model.message import Direction, MessageType
from pombal.model.params import SendParams
from pombal.model.phone import parse_recipient
from pombal.model.session_state import accepts_sends
from pombal.model.text import sendable
from pombal.service.accepting import refuse_unless_accepting
from pombal.service.base import SendAnswer, SendReply
from pombal.service.deps import Deps
from pombal.session.seat import Seat
from pombal.store.message_queries import message_by_id

LINK_ID_BYTES = 9


def new_link_id() -> str:
    """WhatsApp's form of a message id, as its own web client makes them: 3EB0 and 18 hexadecimal digits."""
    return f"3EB0{secrets.token_hex(LINK_ID_BYTES).upper()}"


class Sending:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def send(self, params: SendParams, caller: Caller, reply: SendReply) -> None:
        """Give the send its place in the commit order; reply is called once it is committed.

        Raises PombalError for what is refused before that; reply is not called then.
        """
        seat = self._deps.seat(params.session, caller)
        if not accepts_sends(seat.state) and not await self._was_accepted(seat, params.message_id):
            refuse_unless_accepting(seat)
        change = self._change(seat, params)

        def answered(answers: Sequence[Any]) -> None:
            reply(_answer(answers[0], seat.name))

        await self._deps.recorder.submit([change], answered)

    async def _was_accepted(self, seat: Seat, message_id: str | None) -> bool:
        """Whether this repeats a send from before: it is answered as it stands, however the session is now."""
        if message_id is None:
            return False
        row = await self._deps.reader.run(lambda connection: message_by_id(connection, seat.key, message_id))
        return row is not None and row.direction == Direction.OUTBOUND

    def _change(self, seat: Seat, params: SendParams) -> QueueMessage:
        recipient = parse_recipient(params.to)
        text = None if params.text is None else sendable(params.text)
        content = _content(params)
        return QueueMessage(
            at=self._deps.clock(),
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
