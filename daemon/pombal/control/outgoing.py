"""What one connection still has to write, and how much of it may pile up."""

from collections import deque

import trio

WRITE_BYTES = 262_144
FULL_BYTES = 4_194_304


class Outgoing:
    """Answers and events on their way to a socket, in order, and the count of requests without an answer on the wire.

    A request counts as in flight from ``take_slot`` until its answer has been written, so that a client that does not
    read stops being read. Once the socket is broken everything is dropped as if it had been written: what is being
    carried out is carried out.
    """

    def __init__(self, stream: trio.abc.SendStream, max_in_flight: int) -> None:
        self._stream = stream
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._unanswered = 0
        # Each piece with the event to set once it is written; None marks an answer.
        self._pieces: deque[tuple[bytes, trio.Event | None]] = deque()
        self._waiting_bytes = 0
        self._broken = False
        self._hurry = False
        self._added = trio.Event()
        self._progress = trio.lowlevel.ParkingLot()

    def take_slot_nowait(self) -> bool:
        """Count one more request in flight, if there may be one more."""
        if self._in_flight >= self._max_in_flight:
            return False
        self._in_flight += 1
        self._unanswered += 1
        return True

    async def take_slot(self) -> None:
        """Count one more request in flight, as soon as there may be one more."""
        while not self.take_slot_nowait():
            await self._progress.park()

    @property
    def is_full(self) -> bool:
        return self._waiting_bytes >= FULL_BYTES

    async def room(self) -> None:
        """Wait until what is unwritten is less than FULL_BYTES, or ``hurry`` was called."""
        while self.is_full and not self._hurry:
            await self._progress.park()

    def answer(self, line: bytes) -> None:
        """Put the answer to a request in flight; empty for a notification, which gets none."""
        self._unanswered -= 1
        self._put(line, None)

    async def send(self, piece: bytes) -> None:
        """Put something that answers nothing, and wait until it is written."""
        written = trio.Event()
        self._put(piece, written)
        await written.wait()

    def _put(self, piece: bytes, written: trio.Event | None) -> None:
        self._pieces.append((piece, written))
        self._waiting_bytes += len(piece)
        self._added.set()
        self._tell_progress()

    def hurry(self) -> None:
        """The connection is to end: nobody waits for room any more."""
        self._hurry = True
        self._tell_progress()

    async def all_answered(self) -> None:
        """Wait until every request in flight has its answer here."""
        while self._unanswered:
            await self._progress.park()

    async def all_written(self) -> None:
        """Wait until nothing is left to write."""
        while self._in_flight or self._pieces:
            await self._progress.park()

    async def write(self) -> None:
        """Write for ever, as much as possible at once."""
        while True:
            while not self._pieces:
                self._added = trio.Event()
                await self._added.wait()
            batch = self._next_batch()
            await self._write_out(b"".join(piece for piece, _ in batch))
            self._count_written(batch)

    def _next_batch(self) -> list[tuple[bytes, trio.Event | None]]:
        batch = []
        size_bytes = 0
        while self._pieces and size_bytes < WRITE_BYTES:
            batch.append(self._pieces.popleft())
            size_bytes += len(batch[-1][0])
        return batch

    async def _write_out(self, data: bytes) -> None:
        if self._broken or not data:
            return
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._broken = True

    def _count_written(self, batch: list[tuple[bytes, trio.Event | None]]) -> None:
        for piece, written in batch:
            self._waiting_bytes -= len(piece)
            if written is None:
                self._in_flight -= 1
            else:
                written.set()
        self._tell_progress()

    def _tell_progress(self) -> None:
        if self._progress:
            self._progress.unpark_all()
