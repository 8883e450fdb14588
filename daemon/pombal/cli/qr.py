"""`pombal session qr`: the QR code in the terminal, its rotation, and the wait for the scan."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pombal.cli.client import ask, talk
from pombal.cli.failures import CommandFailed
from pombal.cli.options import Json, SessionName, Socket
from pombal.cli.output import emit, one_line
from pombal.cli.qr_screen import QrScreen
from pombal.model.errors import Kind, PombalError
from pombal.model.events import EventType
from pombal.model.session_state import ADVICE, RUNNING, Reason, SessionStatus

if TYPE_CHECKING:
    from pombal.control.client import Client, EventStream

FOLLOWED = (EventType.SESSION_QR, EventType.SESSION_STATUS, EventType.SESSION_DELETED)
PAIRED = frozenset({SessionStatus.AUTHENTICATED, SessionStatus.READY})


def qr(
    session: SessionName,
    invert: Annotated[
        bool, typer.Option("--invert", help="For dark letters on a light ground, where colours can't be set.")
    ] = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Draw the QR code, follow its rotation and wait for the scan.

    With --json: print the present one and return.
    """
    if as_json:
        emit(ask(socket, "session.qr", {"name": session}), as_json=True, render=str)
        return
    with QrScreen(invert) as screen:
        line = talk(socket, lambda client: follow(client, session, screen))
    print(one_line(line))


async def follow(client: "Client", name: str, screen: QrScreen) -> str:
    """Show codes until the session is paired; returns what to say then.

    Raises CommandFailed where it ends in a state that no scan leads out of.
    """
    # Subscribed first: a code that comes between the answers and the subscription would never be drawn.
    async with client.events(sessions=[name], types=FOLLOWED) as events:
        while True:
            session = await client.call("session.get", {"name": name})
            if is_paired(session):
                return f"{session['name']} is {session['status']} already: there is nothing to scan"
            await _show_present(client, session, screen)
            paired = await _follow_events(events, screen)
            if paired is not None:
                return f"{paired['name']} is {paired['status']}: scanned"


def is_paired(session: dict[str, Any]) -> bool:
    """Whether the wait is over. Raises CommandFailed where it is over without a scan."""
    status, reason = session["status"], session["status_reason"]
    if status in PAIRED:
        return True
    place = (SessionStatus(status), Reason(reason) if reason else None)
    if place in RUNNING:
        return False
    advice = ADVICE.get(reason, "see `pombal session show`")
    start = f" (`pombal session start {session['name']}`)" if "start it" in advice else ""
    raise CommandFailed(f"{session['name']} is {status}/{reason}: {advice}{start}")


async def _show_present(client: "Client", session: dict[str, Any], screen: QrScreen) -> None:
    if session["status"] != SessionStatus.QRCODE:
        screen.say(f"{session['name']} is {session['status']}; its QR code is shown as soon as there is one")
        return
    try:
        screen.draw(await client.call("session.qr", {"name": session["name"]}))
    except PombalError as error:
        if error.kind != Kind.NOT_READY:
            raise
        screen.say("between two QR codes")  # the next one comes as an event


async def _follow_events(events: "EventStream", screen: QrScreen) -> dict[str, Any] | None:
    """The session once it is paired; None where events were missed, and one has to look again."""
    async for event in events:
        match event["type"]:
            case EventType.SESSION_QR:
                screen.draw(event["data"])
            case EventType.SESSION_STATUS if is_paired(event["data"]):
                return dict(event["data"])
            case EventType.SESSION_DELETED:
                raise CommandFailed(f"{event['session']} was deleted")
            case EventType.GAP:
                return None
    return None
