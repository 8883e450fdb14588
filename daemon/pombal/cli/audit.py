"""`pombal audit`: who did what."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from pombal.cli.client import show_pages
from pombal.cli.columns import Columns
from pombal.cli.options import Everything, Json, Limit, SessionFilter, Since, Socket, Until, given
from pombal.cli.output import moment, one_line


def audit(
    method: Annotated[
        str | None, typer.Option(help="Only this method, or a family of them (session.).", show_default=False)
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="Only what was done with this owner's tokens.", show_default=False)
    ] = None,
    uid: Annotated[int | None, typer.Option(min=0, help="Only what this user did.", show_default=False)] = None,
    outcome: Annotated[str | None, typer.Option(help="ok, or a kind of refusal.", show_default=False)] = None,
    session: SessionFilter = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    everything: Everything = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show who did what, newest first: calls that changed something, exports, and what was refused."""
    params = given(
        method=method, owner=owner, uid=uid, outcome=outcome, session=session, since=since, until=until, limit=limit
    )
    show_pages(socket, "audit.list", params, everything=everything, as_json=as_json, render=render_audit)


def render_audit(entries: list[dict[str, Any]]) -> RenderableType:
    return Columns(
        ["id>", "time", "who", "method", "outcome", "target~"],
        (
            [str(entry["id"]), moment(entry["at"]), _who(entry["caller"]), entry["method"], _outcome(entry["outcome"]),
             _target(entry["target"])]
            for entry in entries
        ),
    )  # fmt: skip


def _who(caller: dict[str, Any]) -> str:
    """'maria (uid 1000)', "42's token 01M4…": whoever it was, in a word or two."""
    if caller["uid"] is not None:
        return f"{caller['user'] or '?'} (uid {caller['uid']})"
    return " ".join(part for part in (caller["name"], caller["token_id"]) if part)


def _outcome(outcome: str) -> Text:
    return Text(one_line(outcome), style="green" if outcome == "ok" else "yellow")


def _target(target: dict[str, Any]) -> str | None:
    """'session=suporte message_id=…'"""
    shown = (f"{name}={','.join(value) if isinstance(value, list) else value}" for name, value in target.items())
    return " ".join(shown) or None
