"""What messages are shown with, beside what stands in their own rows."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from pombal.dashboard.views.conversations import Beside, Marks, named_by
from pombal.dashboard.visit import Visit
from pombal.model.errors import PombalError
from pombal.model.events import EventType
from pombal.model.message import Message
from pombal.model.times import parse_time

MARKS_MAX = 500


async def beside(visit: Visit, messages: Sequence[Message]) -> Beside:
    return Beside(await _named(visit, messages), await _marks(visit, messages))


async def _named(visit: Visit, messages: Iterable[Message]) -> Mapping[str, Message]:
    """What they answer, or react to, by message_id; most of it is among them. Not what is gone."""
    here = {message.message_id: message for message in messages}
    wanted = {name: message.session for message in here.values() if (name := named_by(message)) is not None}
    for name in wanted.keys() - here.keys():
        with suppress(PombalError):
            here[name] = await visit.ask("message.get", session=wanted[name], message_id=name)
    return {name: here[name] for name in wanted.keys() & here.keys()}


async def _marks(visit: Visit, messages: Iterable[Message]) -> Mapping[int, Marks]:
    """Of those that were edited or taken back, by row id; among the newest MARKS_MAX such changes of their session.

    A row has the newest text, and what was taken back stays recorded: that it happened stands in the event log alone,
    for as long as that is kept (`retention.events_days`).
    """
    wanted = {message.id: message.session for message in messages}
    if not wanted:
        return {}
    page = await visit.ask(
        "events.list",
        sessions=sorted(set(wanted.values())),
        types=[EventType.MESSAGE_EDITED, EventType.MESSAGE_DELETED],
        limit=MARKS_MAX,
    )
    found: dict[int, Marks] = {}
    for event in page.results:
        row, at_ms = event["data"].get("id"), parse_time(event["at"], 0)
        if row not in wanted or "message_type" in event["data"]:  # with a type: at first it could not be read
            continue
        mark = found.get(row, Marks())
        edited = event["type"] == EventType.MESSAGE_EDITED
        found[row] = replace(mark, edited_at=at_ms) if edited else replace(mark, deleted_at=at_ms)
    return found
