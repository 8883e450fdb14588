"""Everything one can ask for: each function says one request, which both clients carry out.

`session` is a name or id and may be left out by whoever has only one. Filters, times and texts are those of
docs/http-api.md; None leaves a parameter out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import BaseModel

from pombal.model.ids import new_ulid
from pombal.model.latency_results import LatencyStats, SessionMetrics
from pombal.model.message import Message
from pombal.model.results import ContactsChecked, LinkCode, Marked, SessionDeleted
from pombal.model.session import Session

Result = TypeVar("Result")
Answer = TypeVar("Answer", bound=BaseModel)
PREFIX = "/api/v1/whatsapp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Result]):
    """One request. is_repeatable: done twice, it is as if done once, so it may be tried again unanswered."""

    method: str
    path: str
    read: Callable[[bytes], Result]
    query: dict[str, Any] = field(default_factory=dict)
    json: dict[str, Any] | None = None
    form: dict[str, Any] | None = None
    file: Path | None = None
    accept: str = "application/json"
    is_repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Page(Generic[Answer]):
    """Part of a list, and the request for the next part; None after the last one."""

    results: list[Answer]
    next: "Call[Page[Answer]] | None"


# Sessions


def start_session(
    session: str | None = None,
    *,
    link: str | None = None,
    device_name: str | None = None,
    phone_number: str | None = None,
) -> Call[Session]:
    """Create the session where there is none, and start it. Returns at once; events tell when it is ready."""
    body = _given(session=session, link=link, device_name=device_name, phone_number=phone_number)
    return _post("/sessions/start/", Session, body)


def stop_session(session: str | None = None) -> Call[Session]:
    return _post("/sessions/stop/", Session, _given(session=session))


def restart_session(session: str | None = None) -> Call[Session]:
    return _post("/sessions/restart/", Session, _given(session=session), is_repeatable=False)


def logout_session(session: str | None = None) -> Call[Session]:
    """Unlink the device: the session must be paired anew."""
    return _post("/sessions/logout/", Session, _given(session=session), is_repeatable=False)


def session_status(session: str | None = None) -> Call[Session]:
    return _get("/sessions/status/", Session, session=session)


def delete_session(session: str, *, purge: bool = False) -> Call[SessionDeleted]:
    """purge: delete its messages as well."""
    query = {"purge": "true"} if purge else {}
    return Call(
        method="DELETE", path=f"{PREFIX}/sessions/{_quoted(session)}/", query=query, is_repeatable=False,
        read=SessionDeleted.model_validate_json,
    )  # fmt: skip


def session_metrics(session: str) -> Call[SessionMetrics]:
    return _get(f"/sessions/{_quoted(session)}/metrics/", SessionMetrics)


def qr_code(session: str) -> Call[LinkCode]:
    """What the QR code says, and until when. ApiError not_found while there is none."""
    return _get(f"/sessions/{_quoted(session)}/qr/", LinkCode)


def qr_image(session: str, mime_type: str = "image/png") -> Call[bytes]:
    """The QR code as a picture: image/png or image/svg+xml."""
    return Call(method="GET", path=f"{PREFIX}/sessions/{_quoted(session)}/qr/", accept=mime_type, read=bytes)


def pair_code(session: str, phone_number: str) -> Call[LinkCode]:
    """A code to type on the phone, instead of scanning."""
    body = {"phone_number": phone_number}
    return _post(f"/sessions/{_quoted(session)}/pair-code/", LinkCode, body, is_repeatable=False)


def sessions(**filters: Any) -> Call[Page[Session]]:
    """filters: status, is_active, link, search, limit (of a page)."""
    return _list("/sessions/", Session, filters)


# Messages


def check_contacts(numbers: Sequence[str], *, session: str | None = None) -> Call[ContactsChecked]:
    """Which numbers are on WhatsApp, in the order asked; at most 100."""
    return _post("/contacts/check/", ContactsChecked, _given(session=session, numbers=list(numbers)))


def send(
    to: str,
    text: str | None = None,
    *,
    session: str | None = None,
    type: str | None = None,
    file: Path | None = None,
    media: dict[str, Any] | None = None,
    location: dict[str, Any] | None = None,
    contact: dict[str, Any] | None = None,
    reaction: dict[str, Any] | None = None,
    quoted_message_id: str | None = None,
    message_id: str | None = None,
) -> Call[Message]:
    """Queue a message; answered once it is on disk. A file is uploaded as it is read; text is its caption then.

    message_id: the idempotency key, made where none is given. So this may be repeated, and is: one message comes of it.
    """
    parts = _given(
        session=session, to=to, type=type, text=text, media=media, location=location, contact=contact,
        reaction=reaction, quoted_message_id=quoted_message_id, message_id=message_id or new_ulid(),
    )  # fmt: skip
    if file is None and type is None:
        parts["type"] = next((kind for kind in ("location", "contact", "reaction") if kind in parts), "text")
    body: dict[str, Any] = {"json": parts} if file is None else {"form": parts, "file": file}
    return Call(method="POST", path=f"{PREFIX}/send/", read=Message.model_validate_json, **body)


def message(id: int) -> Call[Message]:
    return _get(f"/messages/{id}/", Message)


def mark_read(message_ids: Sequence[str], *, session: str | None = None) -> Call[Marked]:
    return _post("/messages/mark-read/", Marked, _given(session=session, message_ids=list(message_ids)))


def cancel(id: int) -> Call[Message]:
    """Fail a message that still waits in the queue."""
    return _post(f"/messages/{id}/cancel/", Message, is_repeatable=False)


def resend(id: int) -> Call[Message]:
    """Send a failed or uncertain message again, under the same ids."""
    return _post(f"/messages/{id}/resend/", Message, is_repeatable=False)


def messages(**filters: Any) -> Call[Page[Message]]:
    """filters: session, direction, message_type, status, origin, chat_id, contact_number, since, until, search, order,
    limit (of a page)."""
    return _list("/messages/", Message, filters)


def high_latency(**filters: Any) -> Call[Page[Message]]:
    """filters: those of messages, and threshold_ms."""
    return _list("/messages/high-latency/", Message, filters)


def latency_stats(**filters: Any) -> Call[LatencyStats]:
    """filters: session, direction, since, until."""
    return _get("/messages/latency-stats/", LatencyStats, **filters)


def media_path(id: int) -> str:
    return f"{PREFIX}/messages/{id}/media/"


# How requests are put


def _get(path: str, answer: type[Answer], **query: Any) -> Call[Answer]:
    return Call(method="GET", path=PREFIX + path, query=_query(query), read=answer.model_validate_json)


def _post(
    path: str, answer: type[Answer], body: dict[str, Any] | None = None, *, is_repeatable: bool = True
) -> Call[Answer]:
    return Call(
        method="POST", path=PREFIX + path, json=body or {}, read=answer.model_validate_json,
        is_repeatable=is_repeatable,
    )  # fmt: skip


def _list(path: str, answer: type[Answer], filters: dict[str, Any]) -> Call[Page[Answer]]:
    class Listed(BaseModel):
        results: list[answer]  # type: ignore[valid-type]
        next: str | None

    def read(body: bytes) -> Page[Answer]:
        listed = Listed.model_validate_json(body)
        # Only its query: by which name the daemon knows itself may not be the one that leads there from here.
        following = None if listed.next is None else dict(parse_qsl(urlsplit(listed.next).query))
        return Page(listed.results, None if following is None else _list(path, answer, following))

    return Call(method="GET", path=PREFIX + path, query=_query(filters), read=read)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _query(values: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in _given(**values).items()}


def _quoted(part: str) -> str:
    return quote(part, safe="")
