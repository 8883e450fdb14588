"""`pombal contact`: what WhatsApp knows of phone numbers."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from pombal.cli.client import ask
from pombal.cli.columns import Columns
from pombal.cli.options import Json, SessionName, Socket
from pombal.cli.output import emit, yes_no

app = typer.Typer(help="What WhatsApp knows of phone numbers.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """What WhatsApp knows of phone numbers."""


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


def render_contacts(contacts: list[dict[str, Any]]) -> RenderableType:
    return Columns(
        ["number", "on whatsapp", "address", "lid"],
        (
            [contact["number"], yes_no(contact["exists"]), contact["canonical_id"], contact["lid"]]
            for contact in contacts
        ),
    )
