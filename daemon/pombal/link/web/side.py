"""WhatsApp Web's own side of an erasure: each session's files, while its gateway is stopped for that moment."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
import trio

from pombal.link.web import cleaning
from pombal.link.web.links import WebLinks
from pombal.model.person import Person
from pombal.model.person_sides import Belongings, SideReport

log = structlog.get_logger()
T = TypeVar("T")

LOCK_WAIT_S = 10.0


class WebSide:
    """A LinkSide. A session that knows nothing of the person is not interrupted; one that does reconnects at once."""

    name = "web"

    def __init__(self, links: WebLinks, state: Path) -> None:
        """state: where gateways keep what lasts, a directory for each session."""
        self._links = links
        self._state = state

    async def also_called(self, person: Person) -> Person:
        for directory in await _in_thread(partial(_directories, self._state)):
            person = await _in_thread(partial(cleaning.other_names, directory, person))
        return person

    async def erase(self, person: Person, belongings: Belongings) -> SideReport:
        report = SideReport()
        for directory in await _in_thread(partial(_directories, self._state)):
            if directory.name in belongings.link_ids or await _in_thread(
                partial(cleaning.names_them, directory, person)
            ):
                await self._clean(directory, person, belongings, report)
        for session_id in sorted(self._links.elsewhere & belongings.link_ids.keys()):
            report.not_reached.append(f"the gateway of session {session_id} runs elsewhere: its files lie there")
        return report

    async def _clean(self, directory: Path, person: Person, belongings: Belongings, report: SideReport) -> None:
        link_ids = belongings.link_ids.get(directory.name, [])
        async with self._links.left_alone(directory.name):
            log.info("session left alone, to clean its files of an erased contact", session_id=directory.name)
            work = partial(cleaning.clean, directory, person, link_ids, belongings.media, LOCK_WAIT_S)
            report.removed += await _in_thread(work)
            if await _in_thread(partial(cleaning.names_them, directory, person)):
                report.not_reached.append(f"session {directory.name}: some of its files name them still")


def _directories(state: Path) -> list[Path]:
    return sorted(path for path in state.iterdir() if path.is_dir()) if state.is_dir() else []


async def _in_thread(work: Callable[[], T]) -> T:
    return await trio.to_thread.run_sync(work)
