"""Requests for the control socket, valid and spoilt, in bursts on connections that come and go.

And what must hold of the answers: each line has exactly one, a request that carries no id has none, and the daemon is
at fault in none of them.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trio

from pombal.control.framing import REQUEST_MAX_BYTES, LineReader
from pombal.control.jsonrpc import BadRequest, Code, parse_request
from pombal.model.errors import Kind
from pombal.model.params import FaultKind
from pombal.service.catalog import METHODS
from tests.control.test_documented import example
from tests.fuzz.mutate import Mutator

WAIT_S = 120.0
BURST_FRAMES = 1000
ANSWER_MAX_BYTES = 67_108_864
# A subscription tells what all others do for as long as the connection lasts; an erasure rebuilds the search index.
SELDOM = ("events.subscribe", "contact.erase", "contact.export")
IDS = (0, -1, 1.5, "a", "", "x" * 300, "é🚚", None, 2**63, 10**30, -0.0, "null")
# A crash that was asked for is no find, and those that keep silent would only make the run slow.
FAULTS = [kind for kind in FaultKind if kind not in (FaultKind.CRASH, FaultKind.HANG, FaultKind.STALL)]
ANA = "5511987654321"
SESSIONS = ("vendas", "suporte")

REFUSALS = {code.value for code in Code} - {Code.INTERNAL_ERROR.value}
KINDS = {kind.value for kind in Kind} - {Kind.CRASHED.value}

Frame = dict[str, Any]


def requests() -> list[Frame]:
    """An example of every method, and of every kind of message and fault."""
    whole = [json.loads(example(name)[0]) for name in METHODS]
    for kind in FAULTS:
        whole.append(_request("simulator.fault", name="suporte", kind=kind))
    for content in (
        {"type": "location", "location": {"latitude": -23.5, "longitude": -46.6, "name": "Sé"}},
        {"type": "contact", "contact": {"name": "Zé", "number": ANA}},
        {"type": "reaction", "reaction": {"message_id": "m1", "emoji": "👍"}},
        {"text": "Olá", "quoted_message_id": "m1", "message_id": "m2"},
        {"text": "Olá", "message_id": "m1"},
    ):
        whole.append(_request("message.send", session="vendas", to=ANA, **content))
    whole.append(_request("simulator.inject", name="vendas", **{"from": ANA}, text="bom dia", count=3))
    return whole


def _request(method: str, **params: Any) -> Frame:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


class Frames:
    """Without end, and the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self._valid = requests()
        self._weights = [0.1 if frame["method"] in SELDOM else 1.0 for frame in self._valid]
        self._mutator = Mutator(self.rng, self._valid)
        self._number = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            (valid,) = self.rng.choices(self._valid, self._weights)
            self._number += 1
            number = self._number if self.rng.random() < 0.9 else self.rng.choice(IDS)
            yield self._mutator.frame({**valid, "id": number})

    def burst(self, count: int) -> bytes:
        """Some frames as one stretch of bytes: some lines end as they do on other systems, some are empty."""
        frames = iter(self)
        ends = self.rng.choices((b"\n", b"\r\n", b"\n\n"), (96, 2, 2), k=count)
        whole = b"".join(next(frames) + end for end in ends)
        return b"\n".join(line for line in whole.split(b"\n") if len(line) <= REQUEST_MAX_BYTES)

    def writes(self, burst: bytes) -> Iterator[bytes]:
        """Cut where it may be: in the midst of frames, of characters, and not at all."""
        at = 0
        while at < len(burst):
            size = self.rng.choice((1, 100, 5_000, 65_536, len(burst)))
            yield burst[at : at + size]
            at += size


def expected_ids(burst: bytes) -> Counter[str]:
    """The id of each answer that is owed, as JSON."""
    owed: Counter[str] = Counter()
    for line in burst.split(b"\n"):
        if bare := line.removesuffix(b"\r"):
            try:
                request_id = parse_request(bare).id
            except BadRequest as error:
                request_id = error.id
            if request_id is not None:
                owed[_canonical(json.loads(request_id))] += 1
    return owed


def _canonical(request_id: Any) -> str:
    return json.dumps(request_id)


def id_of(line: bytes) -> str | None:
    """What a line of the daemon's answers; None for an event. Raises AssertionError for what must never come."""
    told = json.loads(line)
    assert told["jsonrpc"] == "2.0"
    if told.get("method") == "event":
        return None
    assert ("result" in told) != ("error" in told), line[:1000]
    if "error" in told:
        error = told["error"]
        assert error["code"] in REFUSALS, line[:1000]
        assert error["data"]["kind"] in KINDS, line[:1000]
        assert error["message"], line[:1000]
    return _canonical(told["id"])


async def exchange(path: Path, frames: Frames, burst: bytes) -> None:
    """Say it all on a connection of its own and hear what is owed, and nothing else. Now and then, hang up before."""
    owed = expected_ids(burst)
    hangs_up = frames.rng.random() < 0.05
    async with await trio.open_unix_socket(str(path)) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(_say, stream, list(frames.writes(burst)))
        if hangs_up:
            await stream.receive_some(1)
        else:
            await _hear(stream, owed, burst)
        nursery.cancel_scope.cancel()


async def _say(stream: trio.SocketStream, writes: list[bytes]) -> None:
    for data in writes:
        await stream.send_all(data)


async def _hear(stream: trio.SocketStream, owed: Counter[str], burst: bytes) -> None:
    reader = LineReader(ANSWER_MAX_BYTES)
    owed = Counter(owed)
    with trio.move_on_after(WAIT_S) as waiting:
        while owed:
            data = await stream.receive_some(262_144)
            assert data, f"the daemon hung up; it owes {owed}; {burst[:2000]!r}"
            reader.receive_data(data)
            for line in reader.lines():
                if (answered := id_of(line)) is not None:
                    assert owed[answered] > 0, f"an answer that nobody asked for: {line[:1000]!r}"
                    owed[answered] -= 1
                    owed += Counter()
    assert not waiting.cancelled_caught, f"not answered: {owed}; {burst!r}"
