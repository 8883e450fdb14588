"""What requests carry in their bodies: the params of the control socket's methods, with what HTTP leaves out."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from pombal.model import params as p
from pombal.model.content import MediaReference, MimeType
from pombal.model.errors import Kind, PombalError
from pombal.model.params_base import Label, Params, PhoneNumber, SessionRef, decode_base64
from pombal.model.params_messages import MessageId
from pombal.model.session import LinkKind

BASE64_MAX_BYTES = 8_388_608
ERASE_WAIT_S, ERASE_WAIT_MAX_S = 20.0, 60.0  # below what proxies take for a server that hangs
OnlySession = Annotated[SessionRef | None, Field(description="Name or id; absent: the caller's only session.")]


class StartBody(Params):
    """POST /sessions/start/"""

    session: SessionRef | None = Field(
        None, description="Name or id; a new one gets it as its name. Absent: the only one, or the owner's name."
    )
    link: LinkKind | None = Field(None, strict=False, description="Of a new session; default: [sessions] default_link.")
    device_name: Label | None = Field(None, description="Of a new session: what the phone's list of devices shows.")
    phone_number: PhoneNumber | None = Field(None, description="Of a new session: the number it is meant for.")


class SessionBody(Params):
    """POST /sessions/stop/, /restart/ and /logout/"""

    session: OnlySession = None


class PairCodeBody(Params):
    """POST /sessions/{session}/pair-code/"""

    phone_number: PhoneNumber


class MarkReadBody(Params):
    """POST /messages/mark-read/"""

    session: OnlySession = None
    message_ids: Annotated[list[MessageId], Field(min_length=1, max_length=1000)] = Field(
        description="`message_id`s, not `id`s.", examples=[["01M4QK3T9ZC8V6W2J5N7R1XBDE"]]
    )


class ContactCheckBody(Params):
    """POST /contacts/check/"""

    session: OnlySession = None
    numbers: Annotated[list[PhoneNumber], Field(min_length=1, max_length=100)] = Field(examples=[["5511999999999"]])


class ExportBody(Params):
    """POST /contacts/export/"""

    number: p.Whom


class EraseBody(Params):
    """POST /contacts/erase/"""

    number: p.Whom
    wait_s: Annotated[float, Field(ge=0, le=ERASE_WAIT_MAX_S)] = Field(
        ERASE_WAIT_S, description="Answer after so long, done or not."
    )


def _not_too_large(file: bytes) -> bytes:
    """Raises PombalError (too_large), which passes through the validation as it is."""
    if len(file) > BASE64_MAX_BYTES:
        raise PombalError(
            Kind.TOO_LARGE,
            f"media.base64: has {len(file)} bytes; at most {BASE64_MAX_BYTES} are taken in JSON, so send the file as "
            "multipart/form-data",
        )
    return file


class InlineMedia(Params):
    """A file in the request itself."""

    base64: Annotated[
        bytes,
        BeforeValidator(decode_base64),
        AfterValidator(_not_too_large),
        Field(min_length=1),
        WithJsonSchema({"type": "string", "contentEncoding": "base64", "minLength": 4}),
    ] = Field(description="At most 8 MiB before base64; a larger file goes as multipart/form-data.")
    mime_type: MimeType = Field(examples=["image/jpeg"])
    file_name: str | None = Field(None, max_length=255)


def _kind_of_media(value: Any) -> str:
    given = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return "inline" if "base64" in given else "stored"


AnyMedia = Annotated[
    Annotated[InlineMedia, Tag("inline")] | Annotated[MediaReference, Tag("stored")], Discriminator(_kind_of_media)
]


class SendBody(p.SendParams):
    """POST /send/; as a part of a WebSocket's frame, too"""

    session: OnlySession = None  # type: ignore[assignment]  # over HTTP the caller may have only one
    media: AnyMedia | None = Field(  # type: ignore[assignment]  # and a file may come along
        None, description="The file itself (base64), or the sha256 of one that is in the media store."
    )
