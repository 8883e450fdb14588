"""`pombal message`: history, and its remedies."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pombal.cli.client import ask, show_pages
from pombal.cli.message_views import render_marked, render_message, render_messages, render_outcome
from pombal.cli.options import Everything, Json, Limit, SessionFilter, SessionName, Since, Socket, Until, given
from pombal.cli.output import emit
from pombal.cli.references import FirstWord, SecondWord, reference
from pombal.cli.saving import media
from pombal.model.message import Direction, MessageStatus, MessageType, Origin

app = typer.Typer(help="History, and its remedies.", no_args_is_help=True)


class Order(StrEnum):
    DESC = "desc"
    ASC = "asc"


InDirection = Annotated[Direction | None, typer.Option(help="Only inbound or outbound.", show_default=False)]
OfType = Annotated[MessageType | None, typer.Option("--type", help="Only of this type.", show_default=False)]
InStatus = Annotated[MessageStatus | None, typer.Option(help="Only in this status.", show_default=False)]
OfOrigin = Annotated[
    Origin | None, typer.Option(help="Through Pombal, from the phone, or history.", show_default=False)
]
InChat = Annotated[str | None, typer.Option("--chat", metavar="CHAT_ID", help="Only of this chat (…@s.whatsapp.net).")]
WithNumber = Annotated[str | None, typer.Option("--number", metavar="NUMBER", help="Only with this phone number.")]
Containing = Annotated[
    str | None,
    typer.Option("--search", metavar="WORDS", help="Beginnings of words, all of them, in text, number and name."),
]
InOrder = Annotated[Order, typer.Option("--order", help="desc: the newest first.")]
MessageId = Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="The message's message_id.")]


@app.command("list")
def list_(
    session: SessionFilter = None,
    direction: InDirection = None,
    message_type: OfType = None,
    status: InStatus = None,
    origin: OfOrigin = None,
    chat: InChat = None,
    number: WithNumber = None,
    since: Since = None,
    until: Until = None,
    search: Containing = None,
    order: InOrder = Order.DESC,
    limit: Limit = None,
    everything: Everything = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """List messages, the newest first."""
    params = given(
        session=session, direction=direction, message_type=message_type, status=status, origin=origin, chat_id=chat,
        contact_number=number, since=since, until=until, search=search, order=order, limit=limit,
    )  # fmt: skip
    _show(socket, "message.list", params, everything, as_json)


@app.command()
def search(
    words: Annotated[str, typer.Argument(metavar="WORDS", help="Beginnings of words; accents and case don't count.")],
    session: SessionFilter = None,
    direction: InDirection = None,
    message_type: OfType = None,
    status: InStatus = None,
    chat: InChat = None,
    number: WithNumber = None,
    since: Since = None,
    until: Until = None,
    order: InOrder = Order.DESC,
    limit: Limit = None,
    everything: Everything = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Find messages by words of their text, contact's number or name."""
    params = given(
        search=words, session=session, direction=direction, message_type=message_type, status=status, chat_id=chat,
        contact_number=number, since=since, until=until, order=order, limit=limit,
    )  # fmt: skip
    _show(socket, "message.list", params, everything, as_json)


@app.command()
def high_latency(
    threshold_ms: Annotated[
        int | None,
        typer.Option("--threshold-ms", metavar="MS", min=0, help="At least so slow; else [latency] acceptable_ms."),
    ] = None,
    session: SessionFilter = None,
    direction: InDirection = None,
    message_type: OfType = None,
    status: InStatus = None,
    chat: InChat = None,
    number: WithNumber = None,
    since: Since = None,
    until: Until = None,
    order: InOrder = Order.DESC,
    limit: Limit = None,
    everything: Everything = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """List messages that took too long."""
    params = given(
        threshold_ms=threshold_ms, session=session, direction=direction, message_type=message_type, status=status,
        chat_id=chat, contact_number=number, since=since, until=until, order=order, limit=limit,
    )  # fmt: skip
    _show(socket, "message.high_latency", params, everything, as_json)


def _show(socket: Path | None, method: str, params: dict[str, Any], everything: bool, as_json: bool) -> None:
    show_pages(socket, method, params, everything=everything, as_json=as_json, render=render_messages)


@app.command("show")
def show_(
    first: FirstWord,
    message_id: SecondWord = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show one message whole, with its stamps and stages.

    By SESSION and MESSAGE_ID, or by its number (id) alone.
    """
    emit(ask(socket, "message.get", reference(first, message_id)), as_json, render_message)


app.command()(media)


@app.command()
def mark_read(
    session: SessionName,
    message_ids: Annotated[list[str], typer.Argument(metavar="MESSAGE_ID...", help="Inbound messages.")],
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Mark inbound messages as read; their senders see it."""
    params = {"session": session, "message_ids": message_ids}
    emit(ask(socket, "message.mark_read", params), as_json, render_marked)


@app.command()
def cancel(session: SessionName, message_id: MessageId, socket: Socket = None, as_json: Json = False) -> None:
    """Take a message out of the queue that has not gone out yet."""
    emit(ask(socket, "message.cancel", {"session": session, "message_id": message_id}), as_json, render_outcome)


@app.command()
def resend(session: SessionName, message_id: MessageId, socket: Socket = None, as_json: Json = False) -> None:
    """Queue a failed or uncertain message again, under the same ids."""
    emit(ask(socket, "message.resend", {"session": session, "message_id": message_id}), as_json, render_outcome)
