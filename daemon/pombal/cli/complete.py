"""Shell completion of session names, asked of a running daemon: quick, and silent where there is none."""

from pathlib import Path
from typing import Any

import typer

PATIENCE_S = 0.5
MOST = 100


def complete_session(context: typer.Context, incomplete: str) -> list[str]:
    return session_names(context.params.get("socket"), incomplete)


def session_names(socket: Path | str | None, prefix: str) -> list[str]:
    """Names of sessions that begin with prefix; none where no daemon answers within PATIENCE_S."""
    import trio

    async def ask() -> list[str]:
        from pombal.cli.client import opened

        with trio.move_on_after(PATIENCE_S):
            async with opened(socket) as client:
                params: dict[str, Any] = {"limit": MOST} | ({"search": prefix} if prefix else {})
                results = (await client.call("session.list", params))["results"]
                return [session["name"] for session in results if session["name"].startswith(prefix)]
        return []

    try:
        return trio.run(ask)
    except Exception:
        # A shell that waits for Tab must see neither an error nor a traceback.
        return []
