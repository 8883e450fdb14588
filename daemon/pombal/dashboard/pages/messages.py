"""Messages over all chats, filtered and searched; one message with all that is known of it; and its remedies."""

from typing import Any

from starlette.responses import Response

from pombal.dashboard.app import Page
from pombal.dashboard.beside import beside
from pombal.dashboard.guard import safe_path
from pombal.dashboard.pages.chats import chat_path
from pombal.dashboard.refusals import about
from pombal.dashboard.views.conversations import address_of, message_line, search_for
from pombal.dashboard.visit import Visit
from pombal.model.errors import not_found
from pombal.model.message import Direction, Message, MessageStatus, MessageType
from pombal.model.params_base import INT64_MAX
from pombal.model.times import parse_time

LIMIT = 50
PARTS = {"list": "message_rows"}
FILTERS = ("search", "session", "chat_id", "direction", "message_type", "status", "since")
SPANS = ("15m", "1h", "24h", "7d", "30d")


async def show(visit: Visit) -> Response:
    mark = await visit.mark()
    filters = {name: visit.query(name) for name in FILTERS}
    if filters["since"] is not None:
        with about("since"):
            parse_time(filters["since"], visit.formats.now_ms)
    slow = visit.query("slow") is not None
    asked: dict[str, Any] = filters | {
        "search": search_for(filters["search"]), "limit": LIMIT, "cursor": visit.query("cursor")
    }  # fmt: skip
    page = await visit.ask("message.high_latency" if slow else "message.list", **asked)
    known = await beside(visit, page.results)
    return visit.page(
        "messages",
        PARTS,
        mark=mark,
        lines=[message_line(message, known) for message in page.results],
        following=page.next,
        filters=filters,
        slow=slow,
        chat_address=None if filters["chat_id"] is None else address_of(filters["chat_id"], None),
        is_filtered=slow or any(filters.values()) or visit.query("cursor") is not None,
        directions=list(Direction),
        types=list(MessageType),
        statuses=list(MessageStatus),
        spans=SPANS,
        chat_path=chat_path,
    )


async def show_one(visit: Visit) -> Response:
    mark = await visit.mark()
    message = await message_of(visit)
    known = await beside(visit, [message])
    return visit.page(
        "message",
        {"message": "message_facts"},
        mark=mark,
        message=message,
        line=message_line(message, known),
        chat_path=chat_path,
    )


async def cancel(visit: Visit) -> Response:
    return await _remedy(visit, "cancel")


async def resend(visit: Visit) -> Response:
    return await _remedy(visit, "resend")


async def _remedy(visit: Visit, what: str) -> Response:
    message = await message_of(visit)
    await visit.ask(f"message.{what}", session=message.session, message_id=message.message_id)
    back = visit.field("next")
    return visit.go(safe_path(back) if back else f"/messages/{message.id}", f"message_{what}")


async def message_of(visit: Visit) -> Message:
    number = visit.path("id")
    if not number.isascii() or not number.isdigit() or int(number[:20]) > INT64_MAX:
        raise not_found("there is no such message")
    message: Message = await visit.ask("message.get", id=int(number))
    return message


PAGES = [
    Page("/messages", show),
    Page("/messages/{id}", show_one),
    Page("/messages/{id}/cancel", cancel, "POST"),
    Page("/messages/{id}/resend", resend, "POST"),
]
