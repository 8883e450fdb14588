"""The control pipe: a JSON object a line, commands on standard input, answers and events on standard output.

    → {"n": 1, "do": "scan", "qr": "https://wa.me/…", "user": "5511999990001"}
    ← {"n": 1, "result": {}}            or {"n": 1, "error": "KeyError: …"}
    ← {"event": "paired", "user": "5511999990001", "device": 1}

Commands run side by side; the end of the input ends the fake.
"""

import asyncio
import json
import sys
from typing import Any

from tests.fakes.whatsapp.commands import Commands

LINE_MAX_BYTES = 1 << 24


class Output:
    """Lines to standard output; a trace goes to standard error, and only when it was asked for."""

    def __init__(self, *, trace: bool) -> None:
        self._trace = trace

    def tell(self, event: str, **fields: Any) -> None:
        if event != "trace":
            self.line({"event": event, **fields})
        elif self._trace:
            arrow = "<-" if fields["direction"] == "in" else "->"
            print(f"{arrow} {fields['stanza']}", file=sys.stderr, flush=True)

    def line(self, fields: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(fields, default=_plain) + "\n")
        sys.stdout.flush()


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else repr(value)


async def obey(commands: Commands, output: Output) -> None:
    """Until the input ends."""
    reader = asyncio.StreamReader(limit=LINE_MAX_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    running: set[asyncio.Task[None]] = set()
    while line := await reader.readline():
        task = asyncio.create_task(_run(commands, output, line))
        running.add(task)
        task.add_done_callback(running.discard)


async def _run(commands: Commands, output: Output, line: bytes) -> None:
    number = None
    try:
        request = json.loads(line)
        number = request.pop("n", None)
        name = request.pop("do")
        method = None if name.startswith("_") else getattr(commands, name, None)
        if method is None:
            raise ValueError(f"no command {name!r}")
        output.line({"n": number, "result": await method(**request)})
    except Exception as error:  # whatever it was, the one who asked is told
        output.line({"n": number, "error": f"{type(error).__name__}: {error}"})
