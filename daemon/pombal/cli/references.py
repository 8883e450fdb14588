"""How a command is told which message: by session and message_id, or by its number alone."""

from typing import Annotated, Any

import typer

FirstWord = Annotated[str, typer.Argument(metavar="SESSION|ID", help="A session, or alone the message's number.")]
SecondWord = Annotated[str | None, typer.Argument(metavar="MESSAGE_ID", show_default=False)]


def reference(first: str, message_id: str | None) -> dict[str, Any]:
    """The params of message.get."""
    if message_id is not None:
        return {"session": first, "message_id": message_id}
    if not (first.isascii() and first.isdigit()):
        raise typer.BadParameter(f"{first!r} is no message's number; or give SESSION and MESSAGE_ID")
    return {"id": int(first)}
