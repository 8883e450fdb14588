"""The fake network: its people, what passes between them, and the faults it was told to have."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fakes.whatsapp.book import Book
from tests.fakes.whatsapp.companion import Companion, key_of
from tests.fakes.whatsapp.media import HOST, MediaStore
from tests.fakes.whatsapp.nodes import Node
from tests.fakes.whatsapp.noise import Certificates
from tests.fakes.whatsapp.people import Directory, Person
from tests.fakes.whatsapp.proxy import Proxy

if TYPE_CHECKING:
    from tests.fakes.whatsapp.connection import Connection
    from tests.fakes.whatsapp.pairing import CodePairing

Tell = Callable[..., None]


@dataclass
class Receipts:
    """How phones answer what they get."""

    delivered: bool = True
    read: bool = False
    played: bool = False
    delay_ms: tuple[int, int] = (0, 0)
    double: bool = False
    reorder: bool = False
    drop_rate: float = 0.0


@dataclass
class Faults:
    """What an account's connections are to suffer; the counted ones wear off."""

    refuse_code: int = 0
    refuse_count: int = 0
    silent_count: int = 0
    failure: dict[str, Any] | None = None
    ignore_keepalives: bool = False


@dataclass
class Account:
    receipts: Receipts = field(default_factory=Receipts)
    faults: Faults = field(default_factory=Faults)


class Network:
    def __init__(self, directory: Path, tell: Tell, *, seed: int = 0) -> None:
        self.tell = tell
        self.certificates = Certificates()
        self.directory = Directory()
        self.book = Book()
        self.media = MediaStore(directory / "media")
        self.proxy = Proxy(self._route)
        self.random = random.Random(seed)
        self.accounts: dict[str, Account] = {}
        self.connections: set[Connection] = set()
        self.refs: dict[str, Connection] = {}
        self.code_pairings: dict[str, CodePairing] = {}
        self.qr_refs = 6
        self.restart_close_s = 0.5
        self.registration_failure: dict[str, Any] | None = None
        self.web_port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.plaintexts: dict[tuple[str, str], Callable[[Companion], Coroutine[Any, Any, Node]]] = {}

    def _route(self, host: str) -> int | None:
        return {"web.whatsapp.com": self.web_port, HOST: self.media.port}.get(host)

    def account(self, user: str) -> Account:
        return self.accounts.setdefault(user, Account())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Beside everything else; what goes wrong in it is told."""
        task = asyncio.get_running_loop().create_task(self._watched(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # a fake that keeps quiet about its own mistakes proves nothing
            self.tell("error", detail=repr(error))

    def online(self, user: str) -> list["Connection"]:
        """The account's connections that are logged in."""
        return [each for each in self.connections if each.companion and each.companion.person.user == user]

    def enqueue(self, companion: Companion, stanza: Node) -> None:
        """Write it to the device, now or when it is back, until it acknowledges it."""
        companion.queue.put(key_of(stanza, sender=stanza.attrs["from"]), stanza)

    def remove(self, companion: Companion) -> None:
        """The device is no longer linked: its keys are refused from now on."""
        companion.person.companions.pop(companion.device, None)

    def linked(self, user: str) -> list[Companion]:
        person = self.directory.people.get(user)
        return list(person.companions.values()) if person else []

    def who(self, jid: str) -> Person | None:
        return self.directory.find(jid)
