"""What WhatsApp's client calls, in its own thread: everything goes to the spool before the call returns."""

import time
from collections.abc import Callable
from typing import Any

import structlog

from pombal.gateway.client import (
    Callbacks,
    Connected,
    Disconnected,
    KeepAliveMissed,
    Paired,
    Signal,
)
from pombal.gateway.history import history_told
from pombal.gateway.incoming import message_told, receipt_told, undecryptable_told
from pombal.gateway.spool import Recent, Spool, SpoolClosed
from pombal.link import base
from pombal.link.base import LinkEvent
from pombal.model.message import Direction

log = structlog.get_logger()

PAIRED = "paired"
"""The mark that this session has keys: without them it is logged out, and not new."""
RAW_MAX_CHARACTERS = 20_000
QUOTED_MAX_BYTES = 8_192


class Intake(Callbacks):
    """For one client. It is deaf once the client is being stopped: what it then says of itself is of its own making."""

    def __init__(
        self,
        spool: Spool,
        post: Callable[[Signal], None],
        woken: Callable[[], None],
        file_noted: Callable[[], None],
    ) -> None:
        """post: takes signals to the loop; woken: something was appended; file_noted: with a file to fetch.

        All may be called from any thread.
        """
        self._spool = spool
        self._post = post
        self._woken = woken
        self._file_noted = file_noted
        self._login_s: int | None = None
        self.counterpart: Callable[[str], str | None] = lambda _: None
        self.is_deaf = False
        self.last_called_ms: int | None = None
        self.calls = 0

    def signal(self, signal: Signal) -> None:
        self._called()
        match signal:
            case Connected():
                self._login_s = int(time.time())
            case Disconnected() | KeepAliveMissed():
                self._login_s = None
            case Paired(number) if not self.is_deaf:
                self._spool.mark(PAIRED, number)
        if not self.is_deaf:
            self._post(signal)

    def message(self, event: Any) -> None:
        self._take(event, lambda: self._message(event))

    def undecryptable(self, event: Any) -> None:
        self._take(event, lambda: self._undecryptable(event))

    def receipt(self, event: Any) -> None:
        self._take(event, lambda: self._append(receipt_told(event, self._spool.link_id_of)))

    def history(self, history: Any) -> None:
        self._take(history, lambda: self._history(history))

    def _take(self, event: Any, taken: Callable[[], None]) -> None:
        """Nothing is lost in silence: what cannot be understood is told as garbage."""
        self._called()
        try:
            taken()
        except SpoolClosed:
            log.warning("an event came after the session was closed here", event_type=type(event).__name__)
        except Exception as error:
            log.exception("an event of WhatsApp's client was not understood", event_type=type(event).__name__)
            raw = f"{type(event).__name__} {event.SerializeToString().hex()}"[:RAW_MAX_CHARACTERS]
            self._append(base.Garbage(raw, f"{type(error).__name__}: {error}"[:200]))

    def _message(self, event: Any) -> None:
        told = message_told(event, is_offline=self._is_offline(event), counterpart=self.counterpart)
        if told is not None:
            recent = None
            if isinstance(told.event, base.IncomingMessage):
                recent = _recent(told.event, event.Message)
            self._spool.append(told.event, download=told.download, recent=recent)
            self._woken()
            if told.download is not None:
                self._file_noted()

    def _undecryptable(self, event: Any) -> None:
        is_offline = self._is_offline(event)
        self._append(undecryptable_told(event, is_offline=is_offline, counterpart=self.counterpart))

    def _history(self, history: Any) -> None:
        for message in history_told(history):
            self._append(message)

    def _append(self, event: LinkEvent | None) -> None:
        if event is not None:
            self._spool.append(event)
            self._woken()

    def _is_offline(self, event: Any) -> bool:
        """Whether WhatsApp had kept it while we were away: all before the login is told, and older than it after.

        WhatsApp's times are whole seconds: what was written within the login's own second counts as live.
        """
        login_s = self._login_s
        return login_s is None or event.Info.Timestamp // 1000 < login_s

    def _called(self) -> None:
        self.calls += 1
        self.last_called_ms = time.time_ns() // 1_000_000


def _recent(message: base.IncomingMessage, protobuf: Any) -> Recent:
    is_ours = message.direction == Direction.OUTBOUND
    return Recent(
        message.link_id, "" if is_ours else (message.participant or message.chat_id), is_ours, quotable(protobuf)
    )


def quotable(protobuf: Any) -> bytes:
    """The words of a message as a quote shows them; nothing where that would be too much."""
    serialized: bytes = protobuf.SerializeToString()
    return serialized if len(serialized) <= QUOTED_MAX_BYTES else b""
