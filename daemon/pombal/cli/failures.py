"""Exit codes, and what is said on stderr when a command fails for a reason that was to be expected."""

import os
import sys
from enum import IntEnum
from typing import NoReturn

import typer
from rich.text import Text

from pombal.cli.output import console, harmless
from pombal.config.errors import ConfigError, StartRefused
from pombal.model.errors import PombalError


class ExitCode(IntEnum):
    """0 is done. 130 and 141 are what a shell reports for SIGINT and SIGPIPE."""

    REFUSED = 1
    USAGE = 2
    NO_DAEMON = 3
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class CommandFailed(Exception):
    """A command that could not do what was asked; the text says what to do about it."""

    def __init__(self, message: str, code: ExitCode = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.code = code


def fail(error: BaseException) -> NoReturn:
    """End the command: an expected error as a line or two on stderr, anything else as the exception it is."""
    cause = sole_cause(error)
    if isinstance(cause, KeyboardInterrupt | typer.Abort):
        raise typer.Exit(ExitCode.INTERRUPTED)
    if isinstance(cause, BrokenPipeError):
        _silence_stdout()
        raise typer.Exit(ExitCode.BROKEN_PIPE)
    if isinstance(cause, typer.Exit):
        raise cause
    told = explain(cause)
    if told is None:
        raise cause
    code, message = told
    complain(message)
    raise typer.Exit(code)


def sole_cause(error: BaseException) -> BaseException:
    """What a nursery wrapped. Of several at once Ctrl-C counts first, then the first one that is expected."""
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, KeyboardInterrupt):
            return leaf
    return next((leaf for leaf in leaves if explain(leaf) is not None), leaves[0] if len(leaves) == 1 else error)


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for part in error.exceptions for leaf in _leaves(part)]


def explain(error: BaseException) -> tuple[ExitCode, str] | None:
    """The exit code and the text for an expected error; None for a fault of ours."""
    if _is_without_daemon(error):
        return ExitCode.NO_DAEMON, str(error)
    match error:
        case CommandFailed():
            return error.code, str(error)
        case ConfigError():
            return ExitCode.USAGE, str(error)
        case PombalError():
            return ExitCode.REFUSED, _with_hint(error)
        case StartRefused():
            return ExitCode.REFUSED, str(error)
    return _explain_os_error(error)


def _with_hint(error: PombalError) -> str:
    """The daemon's words, and the command that shows what there is instead."""
    missing = error.data.get("missing")
    return f"{error}; `pombal {missing} list` shows what there is" if missing in ("session", "message") else str(error)


def _is_without_daemon(error: BaseException) -> bool:
    # Only who has talked to the daemon can have failed at it, and then the client is imported already.
    client = sys.modules.get("pombal.control.client")
    return client is not None and isinstance(error, client.NoDaemon | client.Disconnected)


def _explain_os_error(error: BaseException) -> tuple[ExitCode, str] | None:
    if not isinstance(error, OSError) or error.strerror is None:
        return None
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | os.PathLike) else ""
    return ExitCode.REFUSED, f"{place}{error.strerror}"


def complain(message: str) -> None:
    """An error on stderr, after the command's name as other tools have it."""
    line = Text("pombal: ", style="bold red")
    console(stderr=True).print(line.append(harmless(message), style="none"), soft_wrap=True)


def _silence_stdout() -> None:
    """Whoever read has gone; without this the interpreter complains once more when it flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
