"""A client of WhatsApp's without WhatsApp: it does what a test tells it, through the same Protocol as neonize's."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pombal.gateway import client
from pombal.gateway.client import Callbacks, FileKind, SentAs, Signal, Uploaded
from pombal.link.base import ContactInfo
from tests.gateway.protos import OWN, e2e

KEYS = "keys"
PATIENCE_S = 60


class FakeClient:
    """Runs until it is stopped. ``say`` signals as the client's own thread would."""

    def __init__(self, factory: "FakeFactory", directory: Path, device_name: str | None, proxy: str | None,
                 callbacks: Callbacks) -> None:  # fmt: skip
        self.factory = factory
        self.directory = directory
        self.device_name, self.proxy = device_name, proxy
        self.callbacks = callbacks
        self.sent: list[tuple[str, Any, str]] = []
        self.read: list[tuple[str, str, tuple[str, ...]]] = []
        self.done: list[str] = []
        self._stopped = threading.Event()

    def say(self, *signals: Signal) -> None:
        for signal in signals:
            self.callbacks.signal(signal)

    def log_in(self) -> None:
        (self.directory / KEYS).touch()
        self.say(client.Connected(OWN))

    # Client

    def run(self) -> None:
        self.factory.on_run(self)
        assert self._stopped.wait(PATIENCE_S)
        self.say(client.RunEnded(None))

    def disconnect(self) -> None:
        self.done.append("disconnect")

    def stop(self) -> None:
        self.done.append("stop")
        self.factory.on_stop(self)
        self._stopped.set()

    def send(self, to: str, message: Any, link_id: str) -> SentAs:
        self.sent.append((to, message, link_id))
        return self.factory.on_send(link_id)

    def mark_read(self, chat: str, sender: str, link_ids: Sequence[str]) -> None:
        self.read.append((chat, sender, tuple(link_ids)))

    def check(self, numbers: Sequence[str]) -> list[ContactInfo]:
        return [ContactInfo(each, True, f"{each}@s.whatsapp.net", None) for each in numbers]

    def counterpart(self, lid: str) -> str | None:
        return None

    def pair_code(self, number: str) -> str:
        return "ABCD-1234"

    def logout(self) -> None:
        (self.directory / KEYS).unlink()

    def probe(self) -> None:
        self.factory.on_probe(self)

    def upload(self, path: Path, kind: FileKind) -> Uploaded:
        data = path.read_bytes()
        self.done.append(f"upload {kind.value}")
        return Uploaded("https://x", "/x", b"k" * 32, hashlib.sha256(data).digest(), b"e" * 32, len(data))

    def download(self, message: bytes, path: Path) -> None:
        path.write_bytes(self.factory.on_download(e2e.Message.FromString(message)))


class FakeFactory:
    """Its ``on_…`` are what a test sets."""

    protobufs: Any = e2e

    def __init__(self) -> None:
        self.made: list[FakeClient] = []
        self.fixes_ids = True
        self.cannot_make: list[Exception] = []
        self.on_run: Callable[[FakeClient], None] = begin
        self.on_stop: Callable[[FakeClient], None] = lambda _: None
        self.on_send: Callable[[str], SentAs] = lambda link_id: SentAs(link_id, 1_790_000_000)
        self.on_probe: Callable[[FakeClient], None] = lambda _: None
        self.on_download: Callable[[Any], bytes] = lambda _: b""

    @property
    def last(self) -> FakeClient:
        return self.made[-1]

    def make(self, directory: Path, device_name: str | None, proxy: str | None, callbacks: Callbacks) -> FakeClient:
        if self.cannot_make:
            raise self.cannot_make.pop()
        made = FakeClient(self, directory, device_name, proxy, callbacks)
        self.made.append(made)
        return made

    def has_keys(self, directory: Path) -> bool:
        return (directory / KEYS).exists()

    def remove_keys(self, directory: Path) -> None:
        (directory / KEYS).unlink(missing_ok=True)


def begin(each: FakeClient) -> None:
    """As the real one: with keys it logs in, without them it shows a code."""
    if each.factory.has_keys(each.directory):
        each.say(client.Begun(OWN), client.Connected(OWN))
    else:
        each.say(client.QrShown(f"qr-{len(each.factory.made)}"))
