"""`pombal simulator`: play the phone, the people and fate on the simulated network."""

from typing import Annotated

import typer

from pombal.cli.client import ask
from pombal.cli.options import Json, SessionName, Socket, given
from pombal.cli.output import emit
from pombal.model.message import MessageType
from pombal.model.params import FaultKind

app = typer.Typer(help="Play the phone, the people and fate on the simulated network.", no_args_is_help=True)


@app.command()
def scan(session: SessionName, socket: Socket = None, as_json: Json = False) -> None:
    """Scan the QR code that a simulated session shows."""
    emit(ask(socket, "simulator.scan", {"name": session}), as_json, lambda _: "scanned")


@app.command()
def inject(
    session: SessionName,
    number: Annotated[str, typer.Argument(metavar="FROM", help="The phone number that writes.")],
    text: Annotated[str | None, typer.Argument(help="Absent: the simulator thinks of something.")] = None,
    message_type: Annotated[MessageType | None, typer.Option("--type", help="Default: text.")] = None,
    count: Annotated[int | None, typer.Option(help="How many messages; default 1.")] = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Make somebody write to a simulated session."""
    params = {"name": session, "from": number} | given(text=text, type=message_type, count=count)
    emit(ask(socket, "simulator.inject", params), as_json, lambda result: f"{result['injected']} on their way")


@app.command()
def fault(
    session: SessionName,
    kind: Annotated[FaultKind, typer.Argument(help="What goes wrong.")],
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Make something go wrong in a simulated session."""
    emit(
        ask(socket, "simulator.fault", {"name": session, "kind": kind}),
        as_json,
        lambda result: f"{result['fault']}: done",
    )
