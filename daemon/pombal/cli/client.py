"""Talking to the daemon: finding its socket, one connection a command, and a spinner while an answer takes long."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import RenderableType

from pombal.cli.output import console, note, print_json, show
from pombal.config.paths import find_client_socket

if TYPE_CHECKING:
    from pombal.control.client import Client

T = TypeVar("T")
PAGE_MAX = 500
PATIENCE_S = 1.0
"""An answer that takes longer gets a spinner."""


def socket_path(socket: Path | str | None) -> Path:
    """--socket, else $POMBAL_SOCKET, else the first of the usual places that exists."""
    return find_client_socket(None if socket is None else str(socket), os.environ)


@asynccontextmanager
async def opened(socket: Path | str | None) -> "AsyncIterator[Client]":
    """A connection to the daemon. Raises NoDaemon."""
    from pombal.control.client import connect

    async with connect(socket_path(socket)) as client:
        yield client


def talk(socket: Path | None, work: "Callable[[Client], Awaitable[T]]") -> T:
    """Connect, do work, close. Raises NoDaemon, Disconnected, PombalError, and what work raises."""
    import trio

    async def main() -> T:
        async with opened(socket) as client:
            return await work(client)

    return trio.run(main)


def ask(socket: Path | None, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """One call, and its result object."""
    return talk(socket, lambda client: call_patiently(client, method, params or {}))


async def call_patiently(client: "Client", method: str, params: dict[str, Any]) -> dict[str, Any]:
    """A call that shows a spinner once the answer takes longer than PATIENCE_S."""
    import trio

    result: dict[str, Any] = {}
    refused: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_spin_later, f"waiting for {method}")
        try:
            result = await client.call(method, params)
        except Exception as error:  # kept out of the nursery, which would wrap it
            refused = error
        nursery.cancel_scope.cancel()
    if refused is not None:
        raise refused
    return result


async def _spin_later(text: str) -> None:
    import trio

    await trio.sleep(PATIENCE_S)
    with spinner(text):
        await trio.sleep_forever()


def spinner(text: str) -> AbstractContextManager[Any]:
    """Something that turns, on a terminal's stderr; nothing elsewhere."""
    target = console(stderr=True)
    return target.status(text) if target.is_terminal else nullcontext()


def show_pages(
    socket: Path | None,
    method: str,
    params: dict[str, Any],
    *,
    everything: bool,
    as_json: bool,
    render: Callable[[list[dict[str, Any]]], RenderableType],
) -> None:
    """The first page of a paged method, or all that its cursor leads to, each shown as it comes."""

    async def work(client: "Client") -> None:
        asked = {"limit": PAGE_MAX} | params if everything else params
        while True:
            page = await call_patiently(client, method, asked)
            _show_page(page, as_json, render)
            if page["next"] is None:
                return
            if not everything:
                break
            asked = asked | {"cursor": page["next"]}
        if not as_json:
            note("there are more: --all shows all, --limit another number of them")

    talk(socket, work)


def _show_page(page: dict[str, Any], as_json: bool, render: Callable[[list[dict[str, Any]]], RenderableType]) -> None:
    if as_json:
        print_json(page)
    elif page["results"]:
        show(render(page["results"]))
    else:
        note("nothing found")
