"""`pombal session`: the life of a session."""

from typing import Annotated, Any

import typer

from pombal.cli.client import ask, show_pages
from pombal.cli.options import Everything, Json, Limit, SessionName, Settings, Socket, given, parse_settings
from pombal.cli.output import emit
from pombal.cli.qr import qr
from pombal.cli.questions import confirm
from pombal.cli.session_views import (
    render_deleted,
    render_metrics,
    render_pair_code,
    render_session,
    render_sessions,
    render_state,
)
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionStatus

app = typer.Typer(help="The life of a session.", no_args_is_help=True)
app.command()(qr)

Owner = Annotated[str | None, typer.Option("--owner", metavar="OWNER", help="Whose it is.")]
DeviceName = Annotated[
    str | None, typer.Option("--device-name", metavar="NAME", help="What the phone's list of linked devices shows.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 64 of a-z, 0-9, '.', '_' and '-'.")],
    link: Annotated[LinkKind | None, typer.Option(help="How it reaches WhatsApp.", show_default=False)] = None,
    owner: Owner = None,
    phone_number: Annotated[
        str | None, typer.Option("--phone-number", metavar="NUMBER", help="The number it is expected to have.")
    ] = None,
    device_name: DeviceName = None,
    proxy: Annotated[
        str | None,
        typer.Option(
            "--proxy", metavar="URL", help="Reach WhatsApp through this proxy: http://… or socks5://… (link web)."
        ),
    ] = None,
    setting: Settings = None,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start it at once.")] = True,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Create a session and start it."""
    params = given(
        name=name,
        link=link,
        owner=owner,
        phone_number=phone_number,
        device_name=device_name,
        settings=_with_proxy(parse_settings(setting), proxy),
        start=start,
    )
    emit(ask(socket, "session.create", params), as_json, render_session)


def _with_proxy(settings: dict[str, Any] | None, proxy: str | None) -> dict[str, Any] | None:
    if proxy is None:
        return settings
    if "proxy" in (settings or {}):
        raise typer.BadParameter("a proxy is given twice: by --proxy and by --setting", param_hint="--proxy")
    return {**(settings or {}), "proxy": proxy}


@app.command("list")
def list_(
    status: Annotated[SessionStatus | None, typer.Option(help="Only in this status.", show_default=False)] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Only those wanted running, or not.", show_default=False)
    ] = None,
    owner: Owner = None,
    link: Annotated[LinkKind | None, typer.Option(help="Only on this link.", show_default=False)] = None,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="In name, phone number and device name.")] = None,
    limit: Limit = None,
    everything: Everything = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """List sessions.

    All of them in a table; with --json a page at a time.
    """
    params = given(status=status, is_active=active, owner=owner, link=link, search=search, limit=limit)
    whole = everything or (limit is None and not as_json)
    show_pages(socket, "session.list", params, everything=whole, as_json=as_json, render=render_sessions)


@app.command("show")
def show_(session: SessionName, socket: Socket = None, as_json: Json = False) -> None:
    """Show everything about a session."""
    emit(ask(socket, "session.get", {"name": session}), as_json, render_session)


@app.command()
def update(
    session: SessionName,
    owner: Owner = None,
    device_name: DeviceName = None,
    setting: Settings = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Change a session's owner, device name or settings.

    --setting takes the place of all settings before; an empty --device-name goes back to the default.
    """
    changes: dict[str, Any] = given(owner=owner, settings=parse_settings(setting))
    if device_name is not None:
        changes["device_name"] = device_name or None
    if not changes:
        raise typer.BadParameter("nothing to change: give --owner, --device-name or --setting")
    emit(ask(socket, "session.update", {"name": session} | changes), as_json, render_session)


@app.command()
def start(session: SessionName, socket: Socket = None, as_json: Json = False) -> None:
    """Start a session.

    Answered at once, whether somebody has to scan or not; starting one that runs changes nothing.
    """
    emit(ask(socket, "session.start", {"name": session}), as_json, render_state)


@app.command()
def stop(session: SessionName, socket: Socket = None, as_json: Json = False) -> None:
    """Stop a session.

    It stays stopped when the daemon starts again, and its queue is kept.
    """
    emit(ask(socket, "session.stop", {"name": session}), as_json, render_state)


@app.command()
def restart(session: SessionName, socket: Socket = None, as_json: Json = False) -> None:
    """Stop a session and start it again."""
    emit(ask(socket, "session.restart", {"name": session}), as_json, render_state)


@app.command()
def pair_code(
    session: SessionName,
    phone_number: Annotated[str, typer.Argument(metavar="NUMBER", help="The number of the phone to be linked.")],
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Ask for a code to type into the phone, in place of a QR code."""
    result = ask(socket, "session.pair_code", {"name": session, "phone_number": phone_number})
    emit(result, as_json, render_pair_code)


@app.command()
def logout(session: SessionName, socket: Socket = None, as_json: Json = False) -> None:
    """Unlink the device from the phone.

    The session stays, and needs a new scan.
    """
    emit(ask(socket, "session.logout", {"name": session}), as_json, render_state)


@app.command()
def delete(
    session: SessionName,
    purge: Annotated[bool, typer.Option("--purge", help="Delete its messages as well; media files stay.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Unlink and delete a session.

    What it has queued fails. Its history stays readable by the session's id, unless --purge.
    """
    what = f"session {session} and all its messages" if purge else f"session {session}"
    if not yes:
        confirm(f"Delete {what}?", unasked=f"deleting {what} needs a yes, and nobody can be asked here: pass --yes")
    emit(ask(socket, "session.delete", {"name": session, "purge": purge}), as_json, render_deleted)


@app.command()
def metrics(session: SessionName, socket: Socket = None, as_json: Json = False) -> None:
    """Show a session's counts and latencies."""
    emit(ask(socket, "session.metrics", {"name": session}), as_json, render_metrics)
