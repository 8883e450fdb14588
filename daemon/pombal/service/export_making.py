"""The zip of a person's data, made piece by piece: memory holds one slice of rows, or one block of a file."""

import shutil
import sqlite3
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import IO, Any

import trio
from pydantic_core import to_json

from pombal.model.message import MessageRow, show_message
from pombal.model.person import Person
from pombal.model.times import iso
from pombal.service.deps import Deps
from pombal.store.person_queries import contacts_of, events_about, look_through, newest_id, raw_rejected, rejected_of
from pombal.store.session_queries import sessions_by_keys
from pombal.store.statements import messages_by_row

MESSAGES_SLICE = 200
EVENTS_SLICE = 5_000
REJECTED_SLICE = 500
COPY_BYTES = 1_048_576
ABOUT = (
    "Everything that this gateway holds of one person: their chat with each session, both sides of it; what they wrote "
    "in groups; the files of these messages; the log's entries about them; what came from them and could not be read."
)

Pages = AsyncIterator[Sequence[dict[str, Any]]]


class Maker:
    """Makes one zip. counts: messages, media_files, events, contacts, rejected."""

    def __init__(self, deps: Deps, person: Person, file: IO[bytes]) -> None:
        self.counts: Counter[str] = Counter()
        self._deps = deps
        self._person = person
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._media: dict[str, None] = {}

    async def make(self) -> None:
        """Raises PombalError, OSError."""
        with self._zip:
            await self._list("messages", self._messages())
            await self._list("events", self._events())
            await self._list("contacts", self._contacts())
            await self._list("rejected", self._rejected())
            for sha256 in self._media:
                await trio.to_thread.run_sync(self._copy, sha256)
            about = {
                "about": ABOUT, "made_at": iso(self._deps.clock().wall_ms), "counts": dict(self.counts),
                "numbers": sorted(self._person.numbers), "lids": sorted(self._person.lids),
            }  # fmt: skip
            self._zip.writestr("export.json", to_json(about, indent=2))
            await trio.to_thread.run_sync(self._zip.close)

    async def _list(self, name: str, pages: Pages) -> None:
        """One JSON array, an object a line."""
        with self._zip.open(f"{name}.json", "w", force_zip64=True) as entry:
            between = b"[\n"
            async for page in pages:
                if page:
                    data = between + b",\n".join(map(to_json, page))
                    await trio.to_thread.run_sync(entry.write, data)
                    between = b",\n"
                self.counts[name] += len(page)
            entry.write(b"\n]\n" if between != b"[\n" else b"[]\n")

    async def _messages(self) -> Pages:
        up_to = await self._deps.reader.run(newest_id)
        next_id: int | None = 1
        while next_id is not None:
            look = partial(look_through, person=self._person, from_id=next_id, up_to_id=up_to, mentions=False)
            found = await self._deps.reader.run(look)
            for start in range(0, len(found.theirs), MESSAGES_SLICE):
                ids = found.theirs[start : start + MESSAGES_SLICE]
                yield await self._deps.reader.run(partial(self._shown, ids))
            next_id = found.next_id

    def _shown(self, ids: Sequence[int], connection: sqlite3.Connection) -> list[dict[str, Any]]:
        rows = sorted(messages_by_row(connection, ids), key=lambda row: row.id)
        sessions = sessions_by_keys(connection, {row.session_key for row in rows})
        for row in rows:
            self._note_file(row)
        return [
            show_message(row, sessions[row.session_key].name).model_dump(mode="json", warnings=False) for row in rows
        ]

    def _note_file(self, row: MessageRow) -> None:
        media = (row.content or {}).get("media")
        if isinstance(media, dict) and isinstance(media.get("sha256"), str):
            self._media[media["sha256"]] = None

    async def _events(self) -> Pages:
        past, before = 0, -1
        while past != before:
            before = past
            found, past = await self._deps.reader.run(
                partial(events_about, person=self._person, past_seq=past, limit=EVENTS_SLICE)
            )
            yield found

    async def _contacts(self) -> Pages:
        rows = await self._deps.reader.run(partial(contacts_of, person=self._person))
        names = ("session_id", "number", "canonical_id", "lid", "name")
        yield [dict(zip(names, row, strict=True)) for row in rows]

    async def _rejected(self) -> Pages:
        past, before = 0, -1
        while past != before:
            before = past
            look = partial(rejected_of, person=self._person, past_id=past, limit=REJECTED_SLICE)
            ids, past = await self._deps.reader.run(look)
            yield await self._deps.reader.run(partial(raw_rejected, ids=ids))

    def _copy(self, sha256: str) -> None:
        """Under its hash, as messages.json has it; compressed already, as nearly all such files are."""
        path = self._deps.media.path_of(sha256)
        if not path.is_file():  # past its retention, or it never came
            return
        entry = zipfile.ZipInfo(f"media/{sha256}")
        with path.open("rb") as source, self._zip.open(entry, "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target, COPY_BYTES)
        self.counts["media_files"] += 1
