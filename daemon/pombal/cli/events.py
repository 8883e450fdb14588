"""`pombal events`: the event log, page by page or as it grows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pombal.cli.client import call_patiently, opened, talk
from pombal.cli.complete import complete_session
from pombal.cli.event_views import render_event
from pombal.cli.options import Json, Socket, given
from pombal.cli.output import note, print_json, show
from pombal.model.errors import Kind, PombalError
from pombal.model.events import EventType

if TYPE_CHECKING:
    from pombal.control.client import Client, EventStream

PAGE_MAX = 1000
RETRY_MIN_S, RETRY_MAX_S = 0.2, 5.0


def events(
    after: Annotated[
        int | None,
        typer.Option(metavar="SEQ", min=0, help="Past this one; 0: from the oldest kept.", show_default=False),
    ] = None,
    session: Annotated[
        list[str] | None,
        typer.Option(
            "--session", "-s", metavar="SESSION", help="Only of this one. Repeatable.", autocompletion=complete_session
        ),
    ] = None,
    event_type: Annotated[
        list[EventType] | None, typer.Option("--type", help="Only of this type. Repeatable.", show_default=False)
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens; resume where the daemon restarts.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", metavar="N", min=1, max=PAGE_MAX)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Follow all pages, not only the first.")] = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show the newest events, those after one, or with --follow those to come.

    --json prints the result object of events.list; with --follow one event a line.
    """
    if follow and (limit is not None or everything):
        raise typer.BadParameter("--follow has no end: leave --limit and --all away")
    wanted = given(sessions=session or None, types=[str(kind) for kind in event_type or ()] or None)
    if follow:
        import trio

        trio.run(Follower(socket, wanted, after, as_json).run)
        return
    params = given(after=0 if everything and after is None else after, limit=PAGE_MAX if everything else limit)
    talk(socket, lambda client: _show_pages(client, params | wanted, everything, as_json))


async def _show_pages(client: "Client", params: dict[str, Any], everything: bool, as_json: bool) -> None:
    while True:
        page = await call_patiently(client, "events.list", params)
        _show_page(page, as_json)
        results = page["results"]
        if not everything or not results or results[-1]["seq"] >= page["last_seq"]:
            return
        params = params | {"after": results[-1]["seq"]}


def _show_page(page: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(page)
        return
    for event in page["results"]:
        show(render_event(event))
    if not page["results"]:
        note("no such events")


class Follower:
    """Prints events as they come and keeps the cursor, so that a restart of the daemon loses none."""

    def __init__(self, socket: Path | None, wanted: dict[str, Any], after: int | None, as_json: bool) -> None:
        self._socket = socket
        self._wanted = wanted
        self._cursor = after
        self._as_json = as_json
        self._log_id: str | None = None
        self._is_away = False
        self._pause_s = RETRY_MIN_S

    async def run(self) -> None:
        """Follow for ever. Raises NoDaemon where none answers at first, and what is refused."""
        import trio

        while True:
            try:
                await self._connected()
            except PombalError as error:
                if not self._is_expected(error):
                    raise
            self._tell_away()
            await trio.sleep(self._pause_s)
            self._pause_s = min(self._pause_s * 2, RETRY_MAX_S)

    def _is_expected(self, error: PombalError) -> bool:
        """Whether waiting may mend it: the daemon is away or restarts, after it has been there once."""
        return self._log_id is not None and error.kind in (Kind.UNAVAILABLE, Kind.SHUTTING_DOWN)

    def _tell_away(self) -> None:
        if not self._is_away:
            note(f"the daemon went away; waiting for it to go on after event {self._cursor}")
        self._is_away = True

    async def _connected(self) -> None:
        async with opened(self._socket) as client:
            if self._cursor is None:
                await self._begin_now(client)
            async with client.events(after=self._cursor, log_id=self._log_id, **self._wanted) as stream:
                self._tell_connected(stream.log_id)
                await self._print(stream)

    async def _begin_now(self, client: "Client") -> None:
        # 'from now' said as a number: a daemon that restarts before the first event must not make us skip any.
        page = await client.call("events.list", {"limit": 1})
        self._cursor, self._log_id = page["last_seq"], page["log_id"]

    def _tell_connected(self, log_id: str) -> None:
        if self._log_id not in (None, log_id):
            note(f"this is another event log ({log_id}, not {self._log_id}): the database was restored or is a new one")
        elif self._is_away:
            note(f"the daemon is back; going on after event {self._cursor}")
        self._log_id, self._is_away, self._pause_s = log_id, False, RETRY_MIN_S

    async def _print(self, stream: "EventStream") -> None:
        try:
            async for event in stream:
                if self._as_json:
                    print_json(event)
                else:
                    show(render_event(event))
        finally:
            self._cursor = self._cursor if stream.cursor is None else stream.cursor
