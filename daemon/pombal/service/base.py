"""What the transports (control socket, HTTP) ask of the daemon, whoever stands behind it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from pombal.model.caller import Caller
from pombal.model.errors import PombalError
from pombal.model.events import Event
from pombal.model.message import Message, MessageRow, message_json, show_message
from pombal.model.params import SendParams
from pombal.model.results import MediaStored


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """A committed send; ``created`` is False where the same send had been accepted before.

    ``row`` is the message as it stood at the commit, ``session`` the name it goes by.
    """

    row: MessageRow
    session: str
    created: bool

    @property
    def message(self) -> Message:
        return show_message(self.row, self.session)

    def json(self) -> bytes:
        """``message`` as it goes over a wire."""
        return message_json(self.row, self.session)


ReceiveChunk = Callable[[], Awaitable[bytes]]
SendReply = Callable[[SendAnswer | PombalError], None]


class Subscription(Protocol):
    """A cursor over the event log. Nothing is buffered for it: who does not ask gets nothing, and loses nothing."""

    @property
    def log_id(self) -> str: ...

    @property
    def cursor(self) -> int:
        """The sequence of the last event handed out."""

    @property
    def last_seq(self) -> int:
        """The last event there is, so what of it the cursor has still to come to is known."""

    async def next_batch(self) -> Sequence[Event]:
        """The next events, at least one; waits. Raises trio.EndOfChannel when the daemon drains."""


class Sends(Protocol):
    """Sends that get their places in the commit order together: those of one caller, in the order of ``add``."""

    def add(self, params: SendParams, reply: SendReply) -> None:
        """Raises PombalError for what can be refused at once; reply is not called then.

        Else it is called exactly once, in the trio thread: after the commit, or with what refused it.
        """

    async def place(self) -> None:
        """Give those that were added since their places; waits for room."""


class Service(Protocol):
    """Everything a client can ask for. Raises PombalError for what is refused."""

    async def call(self, method: str, params: BaseModel, caller: Caller) -> BaseModel:
        """Carry out a method of the catalog, but for message.send and events.(un)subscribe."""

    async def send(self, params: SendParams, caller: Caller) -> SendAnswer:
        """message.send, once it is committed. Who is cancelled meanwhile takes nothing back."""

    def sends(self, caller: Caller) -> Sends:
        """message.send for who does not wait between one and the next."""

    async def put_media(self, receive: ReceiveChunk, caller: Caller) -> MediaStored:
        """Take a file in, as a stream: receive gives its next bytes, none at its end.

        Raises PombalError: too_large, rate_limited, unavailable; and what receive raises. Nothing is left then.
        """

    async def media_size(self, sha256: str) -> int:
        """How many bytes a file has. Raises PombalError (not_found)."""

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
        """Events past ``after``; 0: from the oldest kept; None: from now."""
