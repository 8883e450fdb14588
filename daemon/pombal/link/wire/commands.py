"""What the daemon asks of a gateway, and what is answered."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from pombal.link.base import ContactInfo, Outgoing, PairCode
from pombal.link.wire.limits import TRANSFER_ID_MAX
from pombal.link.wire.shapes import Family, Shape

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
TransferId = Annotated[int, Field(ge=0, le=TRANSFER_ID_MAX)]
SizeBytes = Annotated[int, Field(ge=0, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class MarkRead:
    chat_id: str
    participant: str
    link_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckContacts:
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GetPairCode:
    phone_number: str


@dataclass(frozen=True, slots=True)
class Logout:
    """Remove the device from the account; the answer is the confirmation."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask WhatsApp itself for a sign of life; answered when it came."""


@dataclass(frozen=True, slots=True)
class HasMedia:
    """Whether the gateway has this file (or its upload) at hand, so that put_media may be spared."""

    sha256: Sha256


@dataclass(frozen=True, slots=True)
class PutMedia:
    """A file for sends to come. Its chunks follow at once under this transfer id; answered once it is stored."""

    sha256: Sha256
    size_bytes: SizeBytes
    transfer: TransferId


@dataclass(frozen=True, slots=True)
class GetMedia:
    """The bytes of a file of media_waiting, in chunks under this transfer id; answered after the last."""

    sha256: Sha256
    transfer: TransferId


@dataclass(frozen=True, slots=True)
class MediaTaken:
    """The daemon has the file, durably: the gateway may delete its copy. One that is gone already is answered, too."""

    sha256: Sha256


Command = (
    Outgoing | MarkRead | CheckContacts | GetPairCode | Logout | Probe | HasMedia | PutMedia | GetMedia | MediaTaken
)  # fmt: skip

COMMANDS: Family[Any] = Family(
    {
        "send": Outgoing,
        "mark_read": MarkRead,
        "check_contacts": CheckContacts,
        "pair_code": GetPairCode,
        "logout": Logout,
        "probe": Probe,
        "has_media": HasMedia,
        "put_media": PutMedia,
        "get_media": GetMedia,
        "media_taken": MediaTaken,
    }
)

# What is answered


@dataclass(frozen=True, slots=True)
class Done:
    """The answer of a command that has nothing to tell: ``{}``."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """One for each number that was asked for, in that order."""

    results: tuple[ContactInfo, ...]


@dataclass(frozen=True, slots=True)
class Has:
    has: bool


Result = Done | Contacts | PairCode | Has

_DONE: Shape[Any] = Shape("the answer", Done)
_RESULTS: dict[type[Any], Shape[Any]] = {
    CheckContacts: Shape("the answer of check_contacts", Contacts),
    GetPairCode: Shape("the answer of pair_code", PairCode),
    HasMedia: Shape("the answer of has_media", Has),
}
_BY_RESULT: dict[type[Any], Shape[Any]] = {
    Done: _DONE,
    Contacts: _RESULTS[CheckContacts],
    PairCode: _RESULTS[GetPairCode],
    Has: _RESULTS[HasMedia],
}


def result_to_wire(result: Result) -> dict[str, Any]:
    return _BY_RESULT[type(result)].to_wire(result)


def result_from_wire(command: type[Any], data: dict[str, Any]) -> Result:
    """What a command of this class was answered with. Raises WireError (invalid)."""
    result: Result = _RESULTS.get(command, _DONE).from_wire(data)
    return result
