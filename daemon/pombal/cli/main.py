"""The application: every command, in the order of its help, and the one place where failures become exit codes."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pombal.cli import bench, config, contacts, daemon, db, events, gateway, messages, sessions, simulator, tokens
from pombal.cli.audit import audit
from pombal.cli.failures import fail
from pombal.cli.latency import latency
from pombal.cli.send import send
from pombal.cli.top import top


class Commands(TyperGroup):
    """All commands; what they raise is told here."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:
            if hasattr(error, "format_message"):
                raise  # wrong usage, which typer shows with a hint at --help
            fail(error)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,  # its tracebacks print the values of variables, and some of those are secrets
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from pombal import __version__

        print(f"pombal {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Pombal keeps WhatsApp sessions alive, records every message and measures how long each one took."""


DAEMON, WORK, CARE = "The daemon", "Sessions and messages", "Configuration and storage"

app.command(rich_help_panel=DAEMON)(daemon.serve)
app.command(rich_help_panel=DAEMON)(daemon.status)
app.command(rich_help_panel=DAEMON)(daemon.ps)
app.command(rich_help_panel=DAEMON)(top)
app.add_typer(gateway.app, name="gateway", rich_help_panel=DAEMON)
app.add_typer(sessions.app, name="session", rich_help_panel=WORK)
app.command(rich_help_panel=WORK)(send)
app.add_typer(messages.app, name="message", rich_help_panel=WORK)
app.add_typer(contacts.app, name="contact", rich_help_panel=WORK)
app.command(rich_help_panel=WORK)(latency)
app.command(rich_help_panel=WORK)(events.events)
app.command(rich_help_panel=WORK)(audit)
app.add_typer(tokens.app, name="token", rich_help_panel=WORK)
app.add_typer(simulator.app, name="simulator", rich_help_panel=WORK)
app.add_typer(config.app, name="config", rich_help_panel=CARE)
app.add_typer(db.app, name="db", rich_help_panel=CARE)
app.command(rich_help_panel=CARE)(bench.bench)


def main() -> None:
    """The console script."""
    app(prog_name="pombal")
