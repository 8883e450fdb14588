"""WhatsApp's client as the gateway sees it: what it tells, what it is asked. The real one is neonize_client.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from pombal.link.base import ContactInfo

# What it tells of itself. What people write goes another way (``Callbacks.message`` …), onto the disk at once.


@dataclass(frozen=True, slots=True)
class QrShown:
    code: str


@dataclass(frozen=True, slots=True)
class LoginStatus:
    """How a pairing goes: success, timeout, passkey-request, err-client-outdated, … (whatsmeow's QRChannelItem)."""

    status: str


@dataclass(frozen=True, slots=True)
class Begun:
    """The client runs, with keys for this account."""

    number: str


@dataclass(frozen=True, slots=True)
class Paired:
    """A phone took this device in; the keys are on disk."""

    number: str


@dataclass(frozen=True, slots=True)
class PairRefused:
    detail: str


@dataclass(frozen=True, slots=True)
class Connected:
    """Logged in: messages flow."""

    number: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The client tries to come back by itself."""


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The client has deleted its keys. reason: neonize's ConnectFailureReason."""

    reason: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another device took the connection over with the same keys."""


@dataclass(frozen=True, slots=True)
class Banned:
    reason: str
    for_s: int | None


@dataclass(frozen=True, slots=True)
class ConnectRefused:
    """reason: neonize's ConnectFailureReason, or None for one that neonize has no name for."""

    reason: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Outdated:
    """WhatsApp no longer takes this version of its protocol."""


@dataclass(frozen=True, slots=True)
class StreamFailed:
    code: str


@dataclass(frozen=True, slots=True)
class KeepAliveMissed:
    """The server did not answer a ping within ten seconds."""

    times: int


@dataclass(frozen=True, slots=True)
class KeepAliveRestored:
    pass


@dataclass(frozen=True, slots=True)
class RunEnded:
    """``run`` has returned. error: None after ``stop``; else why it could not connect, or go on."""

    error: str | None


Signal = (
    QrShown | LoginStatus | Begun | Paired | PairRefused | Connected | Disconnected | LoggedOut | Replaced | Banned
    | ConnectRefused | Outdated | StreamFailed | KeepAliveMissed | KeepAliveRestored | RunEnded
)  # fmt: skip


class Callbacks(Protocol):
    """What a client calls, from a thread of its own, one after the other. May block: the client then waits.

    The protobufs are neonize's own: Message, UndecryptableMessage, Receipt, and waHistorySync.HistorySync.
    """

    def signal(self, signal: Signal) -> None: ...

    def message(self, event: Any) -> None: ...

    def undecryptable(self, event: Any) -> None: ...

    def receipt(self, event: Any) -> None: ...

    def history(self, history: Any) -> None: ...


# What it is asked


class ClientError(Exception):
    """WhatsApp or its client did not do it, and may another time: not connected, no answer in time."""


class Refusal(Exception):
    """WhatsApp will not do it. kind: not_on_whatsapp, restricted, refused."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class FileKind(Enum):
    """WhatsApp keeps files of each kind under keys of their own."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file at WhatsApp, as messages name it; the fields are those of its protobufs."""

    url: str
    direct_path: str
    media_key: bytes
    file_sha256: bytes
    file_enc_sha256: bytes
    file_length: int


@dataclass(frozen=True, slots=True)
class SentAs:
    """link_id: the id that it went under."""

    link_id: str
    timestamp_s: int


class Client(Protocol):
    """One client of one account, from start to stop; a stopped one is not started again.

    ``run`` and ``stop`` of all clients of a process must not begin at the same time (see gate.py). All methods block,
    and raise ClientError or Refusal.
    """

    def run(self) -> None:
        """Connect, and call back until ``stop``; the last signal is RunEnded. Raises nothing."""

    def disconnect(self) -> None:
        """Take no more from the network; what is on its way to the callbacks still comes."""

    def stop(self) -> None:
        """End ``run``; what has not been called back is lost."""

    def send(self, to: str, message: Any, link_id: str) -> SentAs:
        """message: a waE2E.Message. Returns with the server's acknowledgement."""

    def mark_read(self, chat: str, sender: str, link_ids: Sequence[str]) -> None: ...

    def check(self, numbers: Sequence[str]) -> list[ContactInfo]:
        """For each E.164 number, whether it has an account, and under which addresses."""

    def counterpart(self, lid: str) -> str | None:
        """The phone number's address behind a LID, where the client knows it; asks nobody."""

    def pair_code(self, number: str) -> str: ...

    def logout(self) -> None: ...

    def probe(self) -> None:
        """Ask the server something; returns when it has answered."""

    def upload(self, path: Path, kind: FileKind) -> Uploaded: ...

    def download(self, message: bytes, path: Path) -> None:
        """The file of a serialized waE2E.Message."""


class ClientFactory(Protocol):
    """Makes clients; the one of a process."""

    @property
    def fixes_ids(self) -> bool:
        """Whether a message goes under the id that ``send`` is given."""

    @property
    def protobufs(self) -> Any:
        """The module of waE2E's protobufs."""

    def make(self, directory: Path, device_name: str | None, proxy: str | None, callbacks: Callbacks) -> Client:
        """A client whose keys are in directory. device_name: as the phone's list of linked devices shows it."""

    def has_keys(self, directory: Path) -> bool: ...

    def remove_keys(self, directory: Path) -> None:
        """Only while no client uses them."""
