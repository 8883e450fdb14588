"""The fake WhatsApp network as a process of its own, for tests under trio."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from tests.fakes.json_process import Event, JsonProcess, running

ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "tests/fakes/whatsapp/launcher.py"


class FakeWhatsApp(JsonProcess):
    @property
    def listening(self) -> Event:
        """``proxy``, ``ca_file``, ``root_key``."""
        return self.events[0]

    @property
    def gateway_command(self) -> list[str]:
        """What ``[web] gateway_command`` is to be, so that the gateway trusts this fake."""
        return [sys.executable, "-P", str(LAUNCHER), self.listening["root_key"], "gateway", "web"]

    def mistakes(self) -> list[Event]:
        """What went wrong inside the fake: a test whose fake made a mistake proves nothing."""
        return self.all("error")


@asynccontextmanager
async def fake_whatsapp(directory: Path, *options: str) -> AsyncIterator[FakeWhatsApp]:
    """A fake that listens, and ends with the block; the block fails where the fake made a mistake."""
    command = [sys.executable, "-m", "tests.fakes.whatsapp", "--directory", str(directory), *options]
    async with running(command, cwd=ROOT, env=os.environ) as process, trio.open_nursery() as nursery:
        fake = FakeWhatsApp(process)
        nursery.start_soon(fake.read)
        await fake.until("listening")
        yield fake
        nursery.cancel_scope.cancel()
        assert not fake.mistakes()
