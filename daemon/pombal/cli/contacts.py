"""`pombal contact`: what is known of people, and what they may ask for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType

from pombal.cli.client import ask, call_patiently, talk
from pombal.cli.columns import Columns
from pombal.cli.options import Json, SessionName, Socket, given
from pombal.cli.output import emit, facts, moment, one_line, size, state, yes_no
from pombal.cli.questions import confirm
from pombal.cli.saving import STDOUT, Write, written_to
from pombal.cli.transfer_bar import transfer_bar

if TYPE_CHECKING:
    from pombal.control.client import Client

app = typer.Typer(help="What is known of people, and their rights.", no_args_is_help=True)
Whom = Annotated[
    str, typer.Argument(metavar="NUMBER", help="A phone number in any usual spelling, or an address …@lid.")
]


@app.callback()
def _group() -> None:
    """What is known of people, and their rights."""


@app.command()
def check(
    session: SessionName,
    numbers: Annotated[list[str], typer.Argument(metavar="NUMBER...", help="Phone numbers in any usual spelling.")],
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Ask WhatsApp which numbers have an account, and under which address."""
    result = ask(socket, "contact.check", {"session": session, "numbers": numbers})
    emit(result, as_json, lambda found: render_contacts(found["results"]))


@app.command()
def export(
    number: Whom,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to; - is stdout.")] = Path(
        "contact-export.zip"
    ),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")] = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Save all that there is of a person as a zip: messages, files, events, as JSON.

    With --json: print what was exported as well.
    """
    if output == STDOUT and as_json:
        raise typer.BadParameter("the zip or the facts: both don't fit into one output", param_hint="--json")

    async def work(client: "Client") -> dict[str, Any]:
        async with written_to(output, force) as write:
            made = await call_patiently(client, "contact.export", {"number": number})
            await _read(client, made, write)
        return made

    made = talk(socket, work)
    if output != STDOUT:
        emit(
            made, as_json, lambda shown: f"saved {one_line(str(output))} ({size(shown['size_bytes'])}): {_held(shown)}"
        )


async def _read(client: "Client", made: dict[str, Any], write: Write) -> None:
    offset, is_end = 0, False
    with transfer_bar("downloading", made["size_bytes"]) as progress:
        while not is_end:
            chunk = await client.contact_export_chunk(made["export"], offset=offset)
            await write(chunk.data)
            offset, is_end = offset + len(chunk.data), chunk.eof
            progress(offset)


def _held(made: dict[str, Any]) -> str:
    return ", ".join(f"{made[what]} {what.replace('_', ' ')}" for what in ("messages", "media_files", "events"))


@app.command()
def erase(
    number: Whom,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    wait: Annotated[
        float | None, typer.Option("--wait", metavar="SECONDS", min=0, help="At most so long; else until it is done.")
    ] = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Remove all that there is of a person, in every session, and say what that was.

    It cannot be undone. Started anew for a person who is being erased, it waits for the same erasure.
    """
    if not yes:
        confirm(
            f"Erase every message, file and trace of {number}, in all sessions, for good?",
            unasked="erasing a contact needs a yes, and nobody can be asked here: pass --yes",
        )
    emit(ask(socket, "contact.erase", given(number=number, wait_s=wait)), as_json, render_erasure)


@app.command()
def erasure(
    erasure: Annotated[str, typer.Argument(metavar="ERASURE", help="As `contact erase` printed it.")],
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show how far an erasure is, or its receipt."""
    emit(ask(socket, "contact.erasure", {"erasure": erasure}), as_json, render_erasure)


def render_erasure(erasure: dict[str, Any]) -> RenderableType:
    removed = [f"{count} {what.replace('_', ' ')}" for what, count in erasure["removed"].items() if count]
    return facts(
        [
            ("erasure", erasure["erasure"]),
            ("contact", erasure["number"]),
            ("state", state(erasure["state"], erasure["step"])),
            ("wanted", moment(erasure["wanted_at"])),
            ("done", moment(erasure["done_at"])),
            ("removed", ", ".join(removed) or "nothing was there"),
            *(("not reached", text) for text in erasure["not_reached"]),
        ]
    )


def render_contacts(contacts: list[dict[str, Any]]) -> RenderableType:
    return Columns(
        ["number", "on whatsapp", "address", "lid"],
        (
            [contact["number"], yes_no(contact["exists"]), contact["canonical_id"], contact["lid"]]
            for contact in contacts
        ),
    )
