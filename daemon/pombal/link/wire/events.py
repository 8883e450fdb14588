"""The events of link/base.py on the wire. One that cannot be read becomes Garbage: it has a number to acknowledge."""

import json
from collections.abc import Mapping
from typing import Any

from pombal.link import base
from pombal.link.wire.errors import WireError
from pombal.link.wire.shapes import Family

RAW_MAX_CHARACTERS = 65_536

EVENTS: Family[Any] = Family(
    {
        "qr": base.Qr,
        "pair_code": base.PairCode,
        "authenticated": base.Authenticated,
        "ready": base.Ready,
        "message": base.IncomingMessage,
        "receipt": base.Receipt,
        "sent": base.Sent,
        "failed": base.Failed,
        "edited": base.Edited,
        "revoked": base.Revoked,
        "ended": base.Ended,
        "restricted": base.Restricted,
        "garbage": base.Garbage,
        "gap": base.Gap,
    }
)


def event_to_wire(event: base.LinkEvent) -> dict[str, Any]:
    """Raises WireError (invalid) for an event that is not what its class says."""
    return EVENTS.to_wire(event)


def event_from_wire(data: Mapping[str, Any]) -> base.LinkEvent:
    """Never raises: an event that was refused would be replayed, and refused, for ever."""
    try:
        event: base.LinkEvent = EVENTS.from_wire(data)
    except WireError as error:
        return base.Garbage(_raw(data), f"from the gateway: {error.detail}")
    return event


def _raw(data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(data)[:RAW_MAX_CHARACTERS]
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits; nested deeper than it can be read
        return f"an event that cannot be written down: {type(error).__name__}"
