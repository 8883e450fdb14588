"""Logs: structured events to standard error, for people on a terminal and as JSON lines elsewhere.

What libraries log through the standard library takes the same road. Setting it up again, after a reload, replaces what
was set up before.
"""

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from pombal.config.settings import LogSettings
from pombal.ops.redaction import redact, scrub
from pombal.ops.tracebacks import format_traceback, write_traceback

# sd-daemon(3): journald reads a line's priority from such a prefix.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class LineWriter:
    """Writes lines to a stream, and outlives a stream that fails.

    A log file on a full disk, or a pager that was closed, must not crash the actor that had something to say. What
    could not be written is counted, and told as soon as a line goes through again.
    """

    def __init__(self, stream: TextIO, *, with_priority: bool) -> None:
        self._stream = stream
        self._with_priority = with_priority
        self.lines_lost = 0

    def write(self, line: str, level: str) -> None:
        prefix = f"<{_PRIORITIES.get(level, 6)}>" if self._with_priority else ""
        lost = f"{prefix}{self.lines_lost} log lines before this one could not be written\n" if self.lines_lost else ""
        try:
            self._stream.write(f"{lost}{prefix}{scrub(line)}\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self.lines_lost += 1
        else:
            self.lines_lost = 0

    def debug(self, line: str) -> None:
        self.write(line, "debug")

    def info(self, line: str) -> None:
        self.write(line, "info")

    msg = info

    def warning(self, line: str) -> None:
        self.write(line, "warning")

    def error(self, line: str) -> None:
        self.write(line, "error")

    exception = error

    def critical(self, line: str) -> None:
        self.write(line, "critical")


class _LibraryHandler(logging.Handler):
    """Takes the standard library's records to the same writer."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # a library's own mistake in its format string; the standard handlers do the same
            self.handleError(record)
        else:
            self._writer.write(line, record.levelname.lower())


def configure_logging(
    settings: LogSettings, *, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ
) -> None:
    """Route everything that is logged to stream (standard error unless told otherwise)."""
    target = sys.stderr if stream is None else stream
    level = _LEVELS[settings.level]
    writer = LineWriter(target, with_priority=_is_journal(target, environ))
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        redact,
    ]
    last = _renderers(settings, target, environ)
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: writer,
        # Not cached: a reload has to reach the loggers that modules made when they were imported.
        cache_logger_on_first_use=False,
    )
    _route_libraries(writer, level, shared, last)


def _renderers(settings: LogSettings, target: TextIO, environ: Mapping[str, str]) -> list[Processor]:
    for_people = settings.format == "console" or (settings.format == "auto" and target.isatty())
    if not for_people:
        return [
            structlog.processors.ExceptionRenderer(format_traceback),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    # Never structlog's default where rich is installed: its tracebacks show every local variable.
    return [
        structlog.dev.ConsoleRenderer(
            colors=target.isatty() and not environ.get("NO_COLOR"),
            exception_formatter=write_traceback,
        )
    ]


def _route_libraries(writer: LineWriter, level: int, shared: list[Processor], last: list[Processor]) -> None:
    handler = _LibraryHandler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _with_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    for former in [each for each in root.handlers if isinstance(each, _LibraryHandler)]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level)


def _with_logger_name(_: Any, __: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record = event_dict.get("_record")
    if record is not None:
        event_dict["logger"] = record.name
    return event_dict


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """systemd.exec(5): compare $JOURNAL_STREAM with the stream, which may have been redirected since."""
    named = environ.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no descriptor behind it
        return False
    return named == f"{found.st_dev}:{found.st_ino}"
