"""What a reader does not get to see: QR and pairing codes, with which one could link a device, and tokens."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from pombal.model.caller import Access, Caller
from pombal.model.errors import Kind, PombalError
from pombal.model.events import CODE_EVENTS, Event, without_code
from pombal.model.results import EventPage
from pombal.service.catalog import Method


def check_access(method: Method, caller: Caller) -> None:
    """Raises PombalError (forbidden)."""
    if caller.may(method.access):
        return
    reason = "shows a secret" if method.access == Access.SECRET else "changes something"
    raise PombalError(
        Kind.FORBIDDEN, f"{method.name} {reason}, and {caller.name} may only look; [control] admin_group may do more"
    )


def shown_events(events: Sequence[Event], caller: Caller) -> Sequence[Event]:
    return events if caller.may(Access.SECRET) else [without_code(event) for event in events]


def shown_result(result: BaseModel, caller: Caller) -> BaseModel:
    """The result as caller may see it; only events.list can show a code to one who may not ask for it."""
    if caller.may(Access.SECRET) or not isinstance(result, EventPage):
        return result
    return result.model_copy(update={"results": [_without_code(event) for event in result.results]})


def _without_code(event: dict[str, Any]) -> dict[str, Any]:
    return event | {"data": event["data"] | {"code": None}} if event["type"] in CODE_EVENTS else event
