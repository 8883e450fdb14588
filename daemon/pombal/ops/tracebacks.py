"""Tracebacks for the log: where and what, never the values that an exception's message quotes."""

import re
from collections.abc import Generator, Iterator
from traceback import TracebackException
from types import TracebackType
from typing import Any, TextIO

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

# These quote names of the code's, or files; all others may quote what somebody wrote: KeyError its key, ValueError
# ("invalid literal for int() with base 10: …") the whole text.
_QUOTE_NAMES = (OSError, ImportError, AttributeError, NameError, TypeError)
_QUOTED = re.compile(r"""(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""", flags=re.DOTALL)
_PYDANTIC_INPUT = re.compile(r"input_value=.*?, input_type=", flags=re.DOTALL)
HIDDEN = "'…'"


class _Discreet(TracebackException):
    def format_exception_only(self, *args: Any, **options: Any) -> Generator[str, None, None]:
        quotes_names = self.exc_type is not None and issubclass(self.exc_type, _QUOTE_NAMES)
        for line in super().format_exception_only(*args, **options):
            yield line if quotes_names else hide_quoted(line)


def hide_quoted(message: str) -> str:
    """An exception's message without what it quotes."""
    return _QUOTED.sub(HIDDEN, _PYDANTIC_INPUT.sub("input_value=…, input_type=", message))


def format_traceback(exc_info: ExcInfo) -> str:
    """As Python writes it, with its causes and groups; no local variables."""
    shown = TracebackException(*exc_info)
    for each in _all_in(shown):
        # TracebackException makes those within it of its own class, whatever the class of the first.
        each.__class__ = _Discreet
    return "".join(shown.format()).rstrip("\n")


def write_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    """For structlog's ConsoleRenderer."""
    stream.write(f"\n{format_traceback(exc_info)}")


def _all_in(shown: TracebackException) -> Iterator[TracebackException]:
    waiting = [shown]
    while waiting:
        each = waiting.pop()
        yield each
        inner = [each.__cause__, each.__context__, *(each.exceptions or [])]
        waiting += [one for one in inner if one is not None]
