"""`pombal gateway web`: the process that speaks WhatsApp Web, started by the daemon or, elsewhere, by you."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pombal.cli.failures import CommandFailed, ExitCode

app = typer.Typer(no_args_is_help=True, help="Processes that reach WhatsApp for the daemon.")

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]


@app.callback()
def _group() -> None:
    """Processes that reach WhatsApp for the daemon."""


@app.command()
def web(
    state: Annotated[
        Path,
        typer.Option("--state", "--state-dir", metavar="DIR", help="Keys and spools, a directory a session."),
    ],
    socket: Annotated[
        Path | None,
        typer.Option("--socket", metavar="PATH", help="Listen on this Unix socket, for the daemon beside."),
    ] = None,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="Listen for daemons on other machines.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="The token that daemons must show.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key, PEM.")] = None,
    life_line: Annotated[
        bool | None,
        typer.Option("--life-line/--no-life-line", help="Leave when the standard input ends; as given with --socket."),
    ] = None,
    max_sessions: Annotated[int, typer.Option(min=1, help="Sessions at once.")] = 1_000,
    descriptors_max: Annotated[
        int, typer.Option(min=50, help="With so many file descriptors, no new session is taken.")
    ] = 500,
    spool_max_events: Annotated[
        int, typer.Option(min=1, help="Events of a session that may wait for the daemon; then WhatsApp waits.")
    ] = 100_000,
    media_max_bytes: Annotated[int, typer.Option(min=1, help="Larger files are not fetched.")] = 104_857_600,
    log_level: Annotated[Level, typer.Option(help="The least that is logged, to standard error.")] = "info",
    log_format: Annotated[Format, typer.Option(help="auto: console on a terminal, JSON lines elsewhere.")] = "auto",
) -> None:
    """Serve WhatsApp Web sessions to a daemon (docs/link-protocol.md)."""
    from pombal.config.settings import LogSettings
    from pombal.gateway.listening import Unusable
    from pombal.gateway.options import Listen, Options
    from pombal.gateway.process import Missing, run

    host, port = _address(listen)
    options = Options(
        state_dir=state,
        listen=Listen(socket, host, port, token_file, tls_cert, tls_key),
        life_line=socket is not None if life_line is None else life_line,
        max_sessions=max_sessions,
        descriptors_max=descriptors_max,
        spool_max_events=spool_max_events,
        media_max_bytes=media_max_bytes,
    )
    try:
        status = run(options, LogSettings(level=log_level, format=log_format))
    except (Missing, Unusable) as error:
        raise CommandFailed(str(error), ExitCode.USAGE) from error
    raise typer.Exit(status)


def _address(listen: str | None) -> tuple[str, int]:
    if listen is None:
        return "", 0
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or not host:
        raise typer.BadParameter("HOST:PORT is expected, such as 0.0.0.0:8443 or [::1]:8443", param_hint="--listen")
    return host.strip("[]"), int(port)
