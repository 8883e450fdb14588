"""`pombal contact`: what is known of people, and what they may ask for."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from pombal.cli.client import ask
from pombal.cli.columns import Columns
from pombal.cli.options import Json, SessionName, Socket, given
from pombal.cli.output import emit, facts, moment, state, yes_no
from pombal.cli.questions import confirm

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
