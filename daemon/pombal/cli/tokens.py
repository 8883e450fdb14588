"""`pombal token`: tokens for the HTTP API."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from pombal.cli.client import ask
from pombal.cli.options import Json, Socket, given
from pombal.cli.output import emit, moment, note
from pombal.model.times import AGE, AGE_UNITS_MS

app = typer.Typer(help="Tokens for the HTTP API.", no_args_is_help=True)


class GrantedRole(StrEnum):
    USER = "user"
    ADMIN = "admin"


def _seconds(value: str | None) -> int | None:
    """'90d' → 7776000."""
    if value is None:
        return None
    matched = AGE.fullmatch(value.strip())
    seconds = int(matched[1]) * AGE_UNITS_MS[matched[2]] // 1000 if matched else 0
    if seconds < 1:
        raise typer.BadParameter(f"{value!r} is no duration: write 12h, 90d or 52w")
    return seconds


@app.callback()
def _group() -> None:
    """Tokens for the HTTP API."""


@app.command()
def create(
    owner: Annotated[str, typer.Option("--owner", metavar="OWNER", help="Whose sessions it shows and touches.")],
    role: Annotated[
        GrantedRole, typer.Option("--role", help="user: the owner's own sessions; admin: everybody's.")
    ] = GrantedRole.USER,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="DURATION", help="12h, 90d; else [auth] token_lifetime_s."),
    ] = None,
    sign_in_link: Annotated[
        bool, typer.Option("--sign-in-link", help="A link that signs a browser in, once, within ten minutes.")
    ] = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Make a token. It is shown this once and kept nowhere."""
    params = given(owner=owner, role=role.value, expires_s=_seconds(expires), sign_in_link=sign_in_link or None)
    result = ask(socket, "token.create", params)
    emit(result, as_json, _shown)
    if not as_json:
        note(f"{role} of {owner}, until {moment(result['expires_at'])}")


def _shown(result: dict[str, Any]) -> Text:
    """The token alone, or the link alone, so that $(pombal token create …) is what one wants."""
    return Text(result["sign_in_link"] or result["token"])
