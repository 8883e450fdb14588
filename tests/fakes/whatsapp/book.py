"""The book of what passed: each stanza's id, what was in it and how often it came.

Tests hold it beside the daemon's own: nothing missing, nothing twice, no content under two ids.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.fakes.whatsapp.payloads import Content, content_hash


@dataclass
class Outbound:
    """A message that a linked device sent: ``opened`` counts how often a phone could read it."""

    id: str
    account: str
    chat: str
    arrived_at_ms: int = 0
    stanzas: int = 0
    opened: int = 0
    content: Content | None = None
    hashes: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    retries: int = 0
    media_verified: bool | None = None


@dataclass
class Inbound:
    """A message that was written to a linked device; acknowledged by whatever receipt or ack."""

    id: str
    account: str
    chat: str
    sender: str
    content: Content
    written: int = 0
    acknowledged: int = 0
    read: int = 0
    played: int = 0
    retries: int = 0

    @property
    def hash(self) -> str:
        return content_hash(self.content)


class Book:
    def __init__(self) -> None:
        self.outbound: dict[tuple[str, str], Outbound] = {}
        self.inbound: dict[tuple[str, str], Inbound] = {}
        self.receipts_acknowledged: set[tuple[str, str, str]] = set()  # account, message, type
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, done: Callable[[], bool]) -> None:
        while not done():
            await self._changed.wait()

    def stanza(self, account: str, stanza_id: str, chat: str) -> Outbound:
        entry = self.outbound.setdefault((account, stanza_id), Outbound(stanza_id, account, chat))
        entry.arrived_at_ms = entry.arrived_at_ms or time.time_ns() // 1_000_000
        entry.stanzas += 1
        return entry

    def opened(self, entry: Outbound, content: Content) -> bool:
        """A phone read it; whether it was the first to."""
        entry.opened += 1
        entry.content = content
        if (digest := content_hash(content)) not in entry.hashes:
            entry.hashes.append(digest)
        self.changed()
        return entry.opened == 1

    def wrote(self, entry: Inbound) -> None:
        self.inbound[entry.account, entry.id] = entry

    def counts(self, account: str) -> dict[str, int]:
        sent = [entry for entry in self.outbound.values() if entry.account == account]
        got = [entry for entry in self.inbound.values() if entry.account == account]
        return {
            "stanzas": sum(entry.stanzas for entry in sent),
            "received": sum(1 for entry in sent if entry.opened),
            "sent": len(got),
            "acknowledged": sum(1 for entry in got if entry.acknowledged),
            "read": sum(1 for entry in got if entry.read),
        }

    def pages(self, account: str) -> dict[str, list[dict[str, Any]]]:
        return {
            "outbound": [asdict(entry) for entry in self.outbound.values() if entry.account == account],
            "inbound": [
                asdict(entry) | {"hash": entry.hash} for entry in self.inbound.values() if entry.account == account
            ],
        }
