"""What a gateway writes, in our log."""

import pytest
import structlog
import trio
from structlog.testing import capture_logs
from trio.testing import memory_stream_one_way_pair

from pombal.link.web.child_log import LAST_LINES, LINE_MAX_BYTES, ChildLog

pytestmark = pytest.mark.usefixtures("_quiet")


@pytest.fixture
def _quiet() -> None:
    structlog.reset_defaults()


async def read(*pieces: bytes, lines_per_s: int = 100) -> tuple[ChildLog, list[structlog.typing.EventDict]]:
    sender, receiver = memory_stream_one_way_pair()
    child = ChildLog("gateway-1", lines_per_s, now_s=lambda: 7.5)
    with capture_logs() as entries:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child.read, receiver)
            for piece in pieces:
                await sender.send_all(piece)
            await sender.aclose()
    return child, list(entries)


async def test_lines_in_whatever_pieces() -> None:
    _, entries = await read(b"on", b"e\ntwo\n\nthr", b"ee")
    assert [(entry["event"], entry["line"], entry["log_level"]) for entry in entries] == [
        ("gateway wrote", line, "info") for line in ("one", "two", "three")
    ]
    assert entries[0]["gateway"] == "gateway-1"


async def test_entries_of_a_structured_log_are_taken_over() -> None:
    line = b'{"event": "client stopped", "level": "warning", "timestamp": "t", "session": "x", "gateway": "y"}\n'
    _, (entry,) = await read(line)
    assert (entry["event"], entry["log_level"], entry["session"]) == ("client stopped", "warning", "x")
    assert (entry["gateway"], entry["gateway_gateway"]) == ("gateway-1", "y")


@pytest.mark.parametrize(
    "line", [b"{", b'{"event": 1, "level": "info"}', b'{"event": "x", "level": "exec"}', b"{" * 4000]
)
async def test_what_only_looks_like_it_is_text(line: bytes) -> None:
    _, (entry,) = await read(line + b"\n")
    assert entry["event"] == "gateway wrote"


async def test_a_line_without_end_is_cut() -> None:
    child, entries = await read(*[b"x" * 50_000] * 20, b"y\nshort\n")
    assert [len(entry["line"]) for entry in entries] == [LINE_MAX_BYTES, 5]
    assert list(child.last)[-1] == "short"


async def test_too_many_are_counted() -> None:
    child = ChildLog("g", 3, now_s=lambda: clock[0])
    clock = [1.0]
    with capture_logs() as entries:
        for _ in range(10):
            child.say(b"line")
        clock[0] = 2.0
        child.say(b"next")
    assert [entry["event"] for entry in entries] == ["gateway wrote"] * 3 + ["gateway wrote too much", "gateway wrote"]
    assert entries[3]["lines_dropped"] == 7
    assert len(child.last) == LAST_LINES


async def test_bytes_that_are_no_text() -> None:
    _, (entry,) = await read(b"\xff\xfe\n")
    assert entry["line"] == "��"
