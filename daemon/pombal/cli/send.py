"""`pombal send`: one message, with its file, and its way if one wants to wait for it."""

import mimetypes
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pombal.cli.client import call_patiently, talk
from pombal.cli.failures import CommandFailed, ExitCode
from pombal.cli.following import follow_send, judge
from pombal.cli.message_views import render_outcome
from pombal.cli.options import Json, SessionName, Socket, given
from pombal.cli.output import emit
from pombal.cli.transfer_bar import transfer_bar
from pombal.model.message import MessageStatus, MessageType

if TYPE_CHECKING:
    from pombal.control.client import Client

STDIN_MAX_BYTES = 1_048_576
# What phones send and Python's own table lacks, so that the guess does not hang on the machine's /etc/mime.types.
_MIME_TYPES = {
    ".webp": "image/webp",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".3gp": "video/3gpp",
}
_TYPE_OF_MIME = {"image": MessageType.IMAGE, "audio": MessageType.AUDIO, "video": MessageType.VIDEO}


class WaitFor(StrEnum):
    """How far --wait waits."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"


def send(
    session: SessionName,
    to: Annotated[str, typer.Argument(metavar="TO", help="A phone number, or …@s.whatsapp.net, …@lid, …@g.us.")],
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="The text, or the file's caption; - reads it from stdin.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", metavar="FILE", exists=True, dir_okay=False, readable=True, help="Send this file."
        ),
    ] = None,
    message_type: Annotated[
        MessageType | None, typer.Option("--type", help="Otherwise guessed from what is sent.", show_default=False)
    ] = None,
    message_id: Annotated[
        str | None, typer.Option("--id", metavar="MESSAGE_ID", help="Your own id: sent twice, it goes out once.")
    ] = None,
    quote: Annotated[str | None, typer.Option(metavar="MESSAGE_ID", help="The message that this one answers.")] = None,
    location: Annotated[str | None, typer.Option(metavar="LAT,LON", help="Send a place, in degrees.")] = None,
    contact: Annotated[str | None, typer.Option(metavar="NAME:NUMBER", help="Pass a contact on.")] = None,
    react_to: Annotated[
        str | None,
        typer.Option(metavar="MESSAGE_ID", help="React to a message; TEXT is the emoji, none takes it back."),
    ] = None,
    wait: Annotated[
        WaitFor | None, typer.Option(help="Wait until it is so far, or failed.", show_default=False)
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, max=86_400, help="How long --wait waits at most.")
    ] = 60.0,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Queue a message, and follow it with --wait.

    With --wait, exit code 1 says that it failed, is uncertain, or was not so far in time.
    """
    params = given(session=session, to=to, message_id=message_id, quoted_message_id=quote)
    params |= _content(_read_stdin() if text == "-" else text, file, message_type, location, contact, react_to)

    async def work(client: "Client") -> dict[str, Any]:
        if file is not None:
            params["media"] = await _upload(client, file)
        if wait is None:
            return await call_patiently(client, "message.send", params)
        return await follow_send(client, params, MessageStatus(wait), timeout)

    message = talk(socket, work)
    emit(message, as_json, render_outcome)
    if wait is not None:
        judge(message, MessageStatus(wait), timeout)


def _content(
    text: str | None,
    file: Path | None,
    message_type: MessageType | None,
    location: str | None,
    contact: str | None,
    react_to: str | None,
) -> dict[str, Any]:
    """type, text and parts as message.send takes them; whether they go together is for the daemon to say."""
    if react_to is not None:
        reaction = {"message_id": react_to, "emoji": text or ""}
        return {"type": message_type or MessageType.REACTION, "reaction": reaction}
    if text is None and file is None and location is None and contact is None:
        raise typer.BadParameter("nothing to send: give TEXT, --file, --location or --contact")
    kind = message_type or _guess_type(file, location, contact)
    return given(
        type=kind,
        text=text,
        location=None if location is None else _parse_location(location),
        contact=None if contact is None else _parse_contact(contact),
    )


def _guess_type(file: Path | None, location: str | None, contact: str | None) -> MessageType:
    if file is not None:
        return _TYPE_OF_MIME.get(guess_mime(file).partition("/")[0], MessageType.DOCUMENT)
    if location is not None:
        return MessageType.LOCATION
    return MessageType.TEXT if contact is None else MessageType.CONTACT


def guess_mime(file: Path) -> str:
    """By the file's name; application/octet-stream where that says nothing."""
    return (
        _MIME_TYPES.get(file.suffix.lower())
        or mimetypes.guess_type(file.name, strict=False)[0]
        or "application/octet-stream"
    )


def _parse_location(text: str) -> dict[str, float]:
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: write it as LAT,LON (-23.5505,-46.6333)", param_hint="--location"
        ) from None
    return {"latitude": latitude, "longitude": longitude}


def _parse_contact(text: str) -> dict[str, str]:
    name, colon, number = text.rpartition(":")
    if not colon or not name or not number:
        raise typer.BadParameter(f"{text!r}: write it as NAME:NUMBER", param_hint="--contact")
    return {"name": name, "number": number}


def _read_stdin() -> str:
    """The text that was piped in, without the line break that most tools put at the end."""
    raw = sys.stdin.buffer.read(STDIN_MAX_BYTES + 1)
    if len(raw) > STDIN_MAX_BYTES:
        raise CommandFailed("stdin holds more than 1 MiB: send it with --file", ExitCode.USAGE)
    try:
        return raw.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise CommandFailed("stdin is no UTF-8 text: send it with --file", ExitCode.USAGE) from None


async def _upload(client: "Client", file: Path) -> dict[str, Any]:
    """Put the file into the media store, with a bar on a terminal; the reference for the message."""
    import trio

    size_bytes = (await trio.Path(file).stat()).st_size
    with transfer_bar("uploading", size_bytes) as progress:
        stored = await client.put_media(file, progress=progress)
    return {"sha256": stored.sha256, "mime_type": guess_mime(file), "file_name": file.name}
