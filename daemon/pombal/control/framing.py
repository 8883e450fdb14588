"""One JSON object a line: bytes in, complete lines out. Sans-IO, used by both sides of the control socket."""

from collections.abc import Iterator

REQUEST_MAX_BYTES = 1_048_576  # fixed by the protocol, so that a client can rely on it
ANSWER_MAX_BYTES = 67_108_864  # what the client accepts: a page of 500 messages may be long


class FrameTooLong(Exception):
    """A line longer than the limit: what follows cannot be told apart from it, so the connection has to end."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"a line longer than {max_bytes} bytes; send large files in chunks (media.put)")


class LineReader:
    """Lines end with LF; a CR before it is dropped, empty lines are skipped. What is left at the end is half a line.

    The buffer never holds more than one line of max_bytes beside what was received last.
    """

    def __init__(self, max_bytes: int = REQUEST_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._searched = 0

    def receive_data(self, data: bytes | bytearray) -> None:
        self._buffer += data

    def lines(self) -> Iterator[bytes]:
        """The lines that are complete, without their ends. Raises FrameTooLong after those before the long one."""
        end = self._buffer.rfind(b"\n", self._searched)
        if end >= 0:
            complete = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            yield from self._split(complete)
        self._searched = len(self._buffer)
        if self._searched > self._max_bytes:
            raise FrameTooLong(self._max_bytes)

    def _split(self, complete: bytes) -> Iterator[bytes]:
        for line in complete.split(b"\n"):
            bare = line.removesuffix(b"\r")
            if len(bare) > self._max_bytes:
                raise FrameTooLong(self._max_bytes)
            if bare:
                yield bare
