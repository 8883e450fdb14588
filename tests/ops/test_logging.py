"""Logs: their two shapes, what is never in them, and a stream that fails."""

import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import pydantic
import pytest
import structlog

from pombal.config.settings import LogSettings
from pombal.ops.logging import LineWriter, configure_logging

JSON = LogSettings(format="json")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class FullDisk(io.StringIO):
    is_full = True

    def write(self, text: str, /) -> int:
        if self.is_full:
            raise OSError(28, "No space left on device")
        return super().write(text)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_where_there_is_no_terminal(stream: io.StringIO) -> None:
    configure_logging(LogSettings(), stream=stream)
    structlog.get_logger().info("session ready", session="ana", attempt=2)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "session ready", "level": "info", "session": "ana", "attempt": 2}


def test_words_for_people_on_a_terminal() -> None:
    terminal = Terminal()
    configure_logging(LogSettings(), stream=terminal, environ={"NO_COLOR": "1"})
    structlog.get_logger().info("session ready", session="ana")
    assert "session ready" in terminal.getvalue()
    assert "session=ana" in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()


def test_colours_on_a_terminal_that_wants_them() -> None:
    terminal = Terminal()
    configure_logging(LogSettings(), stream=terminal, environ={})
    structlog.get_logger().warning("slow")
    assert "\x1b[" in terminal.getvalue()


@pytest.mark.parametrize("format_", ["console", "json"])
def test_a_traceback_shows_no_values(format_: Any, stream: io.StringIO) -> None:
    configure_logging(LogSettings(format=format_), stream=stream)
    body = "what the customer wrote"
    try:
        raise RuntimeError(str(len(body)))
    except RuntimeError:
        structlog.get_logger().exception("actor crashed")
    assert "RuntimeError: 23" in stream.getvalue()
    assert "customer wrote" not in stream.getvalue().replace('body = "what the customer wrote"', "")


def test_the_level(stream: io.StringIO) -> None:
    configure_logging(LogSettings(level="warning", format="json"), stream=stream)
    structlog.get_logger().info("in time")
    structlog.get_logger().warning("late")
    logging.getLogger("hypercorn.error").info("running")
    assert [line["event"] for line in lines(stream)] == ["late"]


def test_a_reload_reaches_loggers_that_exist(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    logger = structlog.get_logger()
    logger.debug("before")
    configure_logging(LogSettings(level="debug", format="json"), stream=stream)
    logger.debug("after")
    logging.getLogger("library").debug("after too")
    assert [line["event"] for line in lines(stream)] == ["after", "after too"]


def test_libraries_take_the_same_road(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    try:
        raise ValueError("odd frame")
    except ValueError:
        logging.getLogger("hypercorn.error").exception("Error in %s", "ASGI Framework")
    (line,) = lines(stream)
    assert line["event"] == "Error in ASGI Framework"
    assert line["level"] == "error"
    assert line["logger"] == "hypercorn.error"
    assert "ValueError: odd frame" in line["exception"]


@pytest.mark.parametrize(
    "key",
    ["token", "Authorization", "secret", "password", "code", "qr", "text", "text_content", "access_token", "pair_code"],
)
@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_what_is_never_written(key: str, level: str, stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    getattr(structlog.get_logger(), level)("request", **{key: "hunter2"})
    assert "hunter2" not in stream.getvalue()
    assert lines(stream)[0][key] == "[redacted]"


def test_nor_deep_inside(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    deep: dict[str, Any] = {"hunter2": 1}
    for _ in range(50):
        deep = {"inner": deep}
    structlog.get_logger().info("request", headers=[{"authorization": "hunter2"}, ("x", {"qr": "hunter2"})], deep=deep)
    assert "hunter2" not in stream.getvalue()
    assert lines(stream)[0]["headers"] == [{"authorization": "[redacted]"}, ["x", {"qr": "[redacted]"}]]


def test_what_only_looks_like_it_is_kept(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    structlog.get_logger().info("request", context="a", exit_code=3, status_code=404)
    assert lines(stream)[0] | {"context": "a", "exit_code": 3, "status_code": 404} == lines(stream)[0]


def test_a_full_disk_crashes_nobody_and_is_told_later() -> None:
    disk = FullDisk()
    configure_logging(JSON, stream=disk)
    logger = structlog.get_logger()
    logger.info("lost")
    logging.getLogger("library").warning("lost too")
    disk.is_full = False
    logger.info("kept")
    first, second = disk.getvalue().splitlines()
    assert first == "2 log lines before this one could not be written"
    assert json.loads(second)["event"] == "kept"


def test_a_closed_stream_crashes_nobody() -> None:
    closed = io.StringIO()
    writer = LineWriter(closed, with_priority=False)
    closed.close()
    writer.info("lost")
    assert writer.lines_lost == 1


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[TextIO]:
    with (tmp_path / "log").open("w+") as file:
        yield file


def test_journald_is_given_priorities(log_file: TextIO) -> None:
    found = os.fstat(log_file.fileno())
    configure_logging(JSON, stream=log_file, environ={"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
    structlog.get_logger().info("one")
    structlog.get_logger().warning("two")
    logging.getLogger("library").error("three")
    log_file.seek(0)
    assert [line[:4] for line in log_file] == ["<6>{", "<4>{", "<3>{"]


@pytest.mark.parametrize("named", ["", "1:2", "nonsense"])
def test_a_stream_that_is_not_the_journal_gets_none(named: str, log_file: TextIO) -> None:
    configure_logging(JSON, stream=log_file, environ={"JOURNAL_STREAM": named})
    structlog.get_logger().info("one")
    log_file.seek(0)
    assert log_file.read(1) == "{"


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl"
QR = "2@hS3cretRefabcdefgh,AbCdEf0123+/=,GhIjKl4567+/=,MnOpQr=,1"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (f"GET /ws/whatsapp/?token={JWT}&after=3 refused", "&after=3 refused"),
        (f"header Authorization: Bearer {JWT}", "header Authorization"),
        ("header authorization: bearer abcdefgh12345678", "header"),
        ("GET /sign-in?code=abcdef0123456789 200", "GET /sign-in"),
        (f"scan {QR} now", "now"),
        (f"https://wa.me/settings/linked_devices#{QR}", "https://wa.me/settings/"),
        ("proxy socks5://user:hunter2@proxy.example:1080 refused", "@proxy.example:1080 refused"),
    ],
)
def test_what_looks_like_a_secret_is_found_in_any_line(line: str, kept: str, stream: io.StringIO) -> None:
    """A library's own words have no key that tells."""
    configure_logging(JSON, stream=stream)
    logging.getLogger("library").warning(line)
    structlog.get_logger().warning(line, error=line)
    said = stream.getvalue()
    for secret in (JWT, JWT.split(".")[1], QR, QR.split(",")[2], "hunter2", "abcdef0123456789", "abcdefgh12345678"):
        assert secret not in said
    assert said.count(kept) == 3
    assert "[redacted]" in said


def test_what_is_no_secret_is_left_as_it_is(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    line = "http://127.0.0.1:8001 and wss://gateway.example:8443/v1/sessions/01J, the code=404"
    structlog.get_logger().info(line)
    assert lines(stream)[0]["event"] == line


WRITTEN = "minha senha é 'hunter2' ok"


class Told(pydantic.BaseModel):
    number: int


@pytest.mark.parametrize("format_", ["console", "json"])
@pytest.mark.parametrize(
    ("break_it", "kind"),
    [
        (int, "ValueError"),
        ({}.__getitem__, "KeyError"),
        (lambda text: Told(number=text), "ValidationError"),
        (lambda text: Told.model_validate_json(f'{{"number": "{text}"}}'), "ValidationError"),
        (json.loads, "JSONDecodeError"),
        (datetime.fromisoformat, "ValueError"),
        (lambda text: bytes(text + "\ud800", "utf-8"), "UnicodeEncodeError"),
    ],
)
def test_no_traceback_quotes_what_somebody_wrote(
    break_it: Callable[[str], object], kind: str, format_: Any, stream: io.StringIO
) -> None:
    """Neither in the exception itself, nor in its cause, nor in a group."""
    configure_logging(LogSettings(format=format_), stream=stream)
    try:
        try:
            break_it(WRITTEN)
        except Exception as error:
            raise ExceptionGroup("several", [error, RuntimeError("odd state 23")]) from error
    except ExceptionGroup:
        structlog.get_logger().exception("actor crashed")
    said = stream.getvalue()
    assert "hunter2" not in said
    assert "minha" not in said
    assert said.count(kind) >= 2
    assert "RuntimeError: odd state 23" in said


def test_a_traceback_keeps_the_names_of_files_and_of_the_code(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    for break_it in (Path("/nonexistent/pombal.db").read_text, lambda: object().closed):  # type: ignore[attr-defined]
        try:
            break_it()
        except (OSError, AttributeError):
            structlog.get_logger().exception("odd")
    assert "No such file or directory: '/nonexistent/pombal.db'" in stream.getvalue()
    assert "'object' object has no attribute 'closed'" in stream.getvalue()
