"""`pombal message media`: a message's file, streamed onto the disk, whole or not at all."""

import hashlib
import mimetypes
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pombal.cli.client import call_patiently, talk
from pombal.cli.failures import CommandFailed, ExitCode
from pombal.cli.options import Json, Socket
from pombal.cli.output import emit, one_line, size
from pombal.cli.references import FirstWord, SecondWord, reference
from pombal.cli.transfer_bar import transfer_bar

if TYPE_CHECKING:
    from pombal.control.client import Client

STDOUT = Path("-")
NAME_MAX_CHARACTERS = 120
_UNSAFE = re.compile(r"[^\w .,()@+-]")
Write = Callable[[bytes], Awaitable[object]]


def media(
    first: FirstWord,
    message_id: SecondWord = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to; a directory keeps the file's own name, - is stdout."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")] = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Save the file of a message, by its own name where --output says no other.

    With --json: print the message as well.
    """
    if output == STDOUT and as_json:
        raise typer.BadParameter("the file or the message: both don't fit into one output", param_hint="--json")

    async def work(client: "Client") -> tuple[dict[str, Any], Path]:
        message = await call_patiently(client, "message.get", reference(first, message_id))
        if message["media"] is None:
            raise CommandFailed(f"message {message['session']} {message['message_id']} has no file")
        target = _target(output, message)
        async with written_to(target, force) as write:
            await _download(client, message["media"], write)
        return message, target

    message, target = talk(socket, work)
    if target != STDOUT:
        emit(message, as_json, lambda shown: f"saved {one_line(str(target))} ({size(shown['media']['size_bytes'])})")


async def _download(client: "Client", media: dict[str, Any], write: Write) -> None:
    """Raises CommandFailed where other bytes came than the message's."""
    digest = hashlib.sha256()
    with transfer_bar("downloading", media["size_bytes"]) as progress:
        async with aclosing(client.get_media(media["sha256"], progress=progress)) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
                await write(chunk)
    if digest.hexdigest() != media["sha256"]:
        raise CommandFailed("the bytes that came have another sha256 than the message says; nothing was kept")


@asynccontextmanager
async def written_to(target: Path, force: bool) -> AsyncIterator[Write]:
    """What is written gets its name when the block ends well. Raises CommandFailed."""
    import trio

    if target == STDOUT:

        async def write_out(chunk: bytes) -> None:
            await trio.to_thread.run_sync(sys.stdout.buffer.write, chunk)

        yield write_out
        sys.stdout.buffer.flush()
        return
    path = trio.Path(target)
    if await path.exists() and not force:
        raise CommandFailed(f"{target} is there already; --force writes over it", ExitCode.USAGE)
    part = path.with_name(f".{target.name}.part")
    try:
        async with await part.open("wb") as file:
            yield file.write
        await part.rename(path)
    except OSError as error:
        raise CommandFailed(f"{target} cannot be written: {error.strerror}") from None
    finally:
        with trio.CancelScope(shield=True):
            await part.unlink(missing_ok=True)


def _target(output: Path | None, message: dict[str, Any]) -> Path:
    if output is None or (output != STDOUT and output.is_dir()):
        return (output or Path()) / file_name(message)
    return output


def file_name(message: dict[str, Any]) -> str:
    """The file's own name, made harmless: strangers choose it, and it must neither leave the directory nor hide."""
    media = message["media"]
    own = os.path.basename((media["file_name"] or "").replace("\\", "/"))
    safe = _UNSAFE.sub("_", own).lstrip(".-").strip()[-NAME_MAX_CHARACTERS:]
    if safe:
        return safe
    mime_type = media["mime_type"].partition(";")[0].strip().lower()
    return (
        f"{_UNSAFE.sub('_', message['message_id'])[:NAME_MAX_CHARACTERS]}{mimetypes.guess_extension(mime_type) or ''}"
    )
