"""Conversations: the chats of a session, one of them as a thread, and what is written into it."""

from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from pombal.dashboard.app import Page
from pombal.dashboard.beside import beside
from pombal.dashboard.refusals import Refusal, about
from pombal.dashboard.upload import stored
from pombal.dashboard.views.conversations import (
    address_of,
    chat_line,
    message_line,
    search_for,
    thread_of,
    title_of,
)
from pombal.dashboard.views.status import tone_of
from pombal.dashboard.visit import Visit
from pombal.model.errors import Kind, PombalError, invalid
from pombal.model.ids import new_ulid
from pombal.model.message import Direction, Message, MessageStatus
from pombal.model.phone import parse_recipient
from pombal.model.session import Session

LIMIT = 50
CHATS = 40
ALSO_MAX = 50
LIST_PARTS = {"chats": "chats", "state": "session_state"}
THREAD_PARTS = LIST_PARTS | {"thread": "thread", "older": "thread"}
# Told beside the form, with what was typed still in it.
_REFUSED = frozenset(Kind) - {Kind.UNAUTHORIZED, Kind.FORBIDDEN, Kind.NOT_FOUND}


def chat_path(session: str, chat_id: str) -> str:
    return f"/sessions/{quote(session, safe='')}/chats/{quote(chat_id, safe='@')}"


async def show_list(visit: Visit) -> Response:
    if visit.part == "state":
        return await _state(visit)
    mark = await visit.mark()
    return visit.page("chats", LIST_PARTS, mark=mark, **await _list(visit), chat=None, given={}, problem=None)


async def show_chat(visit: Visit) -> Response:
    return await _thread_page(visit, {}, None)


async def _thread_page(visit: Visit, given: dict[str, str | None], problem: Refusal | None) -> Response:
    if visit.part == "state":
        return await _state(visit)
    mark = await visit.mark()
    if visit.part == "chats":
        return visit.page("chats", LIST_PARTS, mark=mark, **await _list(visit), chat=visit.path("chat"))
    beside = {} if visit.part else await _list(visit)
    thread = await _thread(visit, await visit.ask("session.get", name=visit.path("session")))
    return visit.page("chats", THREAD_PARTS, mark=mark, **(beside | thread), given=given, problem=problem)


async def _state(visit: Visit) -> Response:
    session = await visit.ask("session.get", name=visit.path("session"))
    return visit.page("chats", LIST_PARTS, **_session(session))


def _session(session: Session) -> dict[str, Any]:
    return {"session": session, "tone": tone_of(session.status, session.status_reason)}


async def _list(visit: Visit) -> dict[str, Any]:
    session = await visit.ask("session.get", name=visit.path("session"))
    search = visit.query("chat_search")
    page = await visit.ask(
        "chat.list",
        session=session.id,
        search=search_for(search),
        limit=visit.limit(CHATS),
        cursor=visit.query("chat_cursor"),
    )
    return {
        **_session(session),
        "chats": [chat_line(chat) for chat in page.results],
        "more_chats": page.next,
        "chat_search": search,
        "chat_path": chat_path,
    }


async def _thread(visit: Visit, session: Session) -> dict[str, Any]:
    chat_id = visit.path("chat")
    page = await visit.ask(
        "message.list", session=session.id, chat_id=chat_id, limit=LIMIT, cursor=visit.query("before")
    )
    messages: list[Message] = page.results
    known = {message.id for message in messages}
    also = [await visit.ask("message.get", id=row) for row in _also(visit) if row not in known]
    marked = await beside(visit, [*messages, *also])
    other = next((message for message in messages if message.direction == Direction.INBOUND), None)
    name, number = (None, None) if other is None else (other.contact_name, other.contact_number)
    return {
        **_session(session),
        "chat": chat_id,
        "title": title_of(chat_id, name, number or next((m.contact_number for m in messages), None)),
        "number": number,
        "address": address_of(chat_id, number),
        "thread": thread_of(messages, visit.formats.zone, marked),
        "also": [message_line(each, marked) for each in also if each.chat_id == chat_id],
        "older": page.next,
        "unread": any(each.direction == Direction.INBOUND and each.status != MessageStatus.READ for each in messages),
        "message_id": f"dashboard-{new_ulid()}",
        "chat_path": chat_path,
    }


def _also(visit: Visit) -> list[int]:
    """Row ids of older messages that have changed, and that a module has in its page."""
    words = (visit.query("also") or "").split(",")[:ALSO_MAX]
    return [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 19]


async def write(visit: Visit) -> Response:
    """Send what was written into a chat. Its message_id came with the form: sent twice, it is one message."""
    given = {name: visit.field(name) for name in ("text", "message_id", "quoted_message_id")}
    try:
        message = await _send(visit, visit.path("chat"), given)
    except PombalError as error:
        if error.kind not in _REFUSED:
            raise
        return await _thread_page(visit, given, visit.explain(error))
    return visit.go(chat_path(message.session, message.chat_id))


async def write_first(visit: Visit) -> Response:
    """Send to a number that may have no chat yet."""
    given = {name: visit.field(name) for name in ("to", "text", "message_id")}
    try:
        message = await _send(visit, given["to"] or "", given)
    except PombalError as error:
        if error.kind not in _REFUSED:
            raise
        problem, mark, shown = visit.explain(error), await visit.mark(), await _list(visit)
        return visit.page("chats", LIST_PARTS, mark=mark, **shown, chat=None, given=given, problem=problem)
    return visit.go(chat_path(message.session, message.chat_id))


async def _send(visit: Visit, to: str, given: dict[str, str | None]) -> Message:
    session = visit.path("session")
    file = visit.file("file")
    if file is None and not given["text"]:
        with about("nothing"):
            raise invalid("write something, or choose a file")
    with about("to"):
        parse_recipient(to)
    sending = {"session": session, "to": to, "message_id": given["message_id"], "text": given["text"]}
    sending["quoted_message_id"] = given.get("quoted_message_id")
    if file is None:
        return await visit.send(**sending)
    kind, media = await stored(visit, file)
    return await visit.send(**sending, type=kind, media=media)


async def mark_read(visit: Visit) -> Response:
    """Everything in the chat that has not been read; the senders are told."""
    session, chat = visit.path("session"), visit.field("chat") or ""
    cursor = None
    while True:
        page = await visit.ask(
            "message.list", session=session, chat_id=chat, direction=Direction.INBOUND,
            status=MessageStatus.DELIVERED, limit=500, cursor=cursor,
        )  # fmt: skip
        if page.results:
            names = [message.message_id for message in page.results]
            await visit.ask("message.mark_read", session=session, message_ids=names)
        cursor = page.next
        if cursor is None:
            return visit.go(chat_path(session, chat), "marked_read")


PAGES = [
    Page("/sessions/{session}/chats", show_list),
    Page("/sessions/{session}/chats", write_first, "POST", takes_file=True),
    Page("/sessions/{session}/read", mark_read, "POST"),
    Page("/sessions/{session}/chats/{chat:path}", show_chat),
    Page("/sessions/{session}/chats/{chat:path}", write, "POST", takes_file=True),
]
