"""Query strings as models: the params of the control socket's methods, read from text."""

import re
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pombal.model.events import EventType
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from pombal.model.params_base import Count, Cursor, Limit, Natural, PhoneNumber, Sequence, SessionRef, TimeText
from pombal.model.params_messages import ChatId, SearchText
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionStatus

_FLAGS = {"true": True, "1": True, "false": False, "0": False}
# A `+` that was not encoded has become a space (application/x-www-form-urlencoded): 12:00:00+00:00 is 12:00:00 00:00.
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$", re.ASCII)


def _true_or_false(value: Any) -> Any:
    """As libraries write it: Python's say True, PHP's 1."""
    if isinstance(value, str):
        if value.lower() not in _FLAGS:
            raise ValueError("is true or false")
        return _FLAGS[value.lower()]
    return value


def _with_plus(value: Any) -> Any:
    return _LOST_PLUS.sub(r"\1+\2", value) if isinstance(value, str) else value


def split_by_commas(value: Any) -> Any:
    """`a,b` and `?types=a&types=b` alike."""
    return [part for text in value for part in str(text).split(",")] if isinstance(value, list) else value


def whole_number(value: Any) -> Any:
    """Decimal digits: Python would read ' 1', '+1' and '1_0' as numbers as well."""
    if isinstance(value, str):
        if not value.removeprefix("-").isdecimal() or not value.isascii() or len(value) > 20:
            raise ValueError("is a whole number")
        return int(value)
    return value


Flag = BeforeValidator(_true_or_false)
Whole = BeforeValidator(whole_number)
QueryTime = Annotated[TimeText, BeforeValidator(_with_plus)]
LogId = Annotated[str, Field(min_length=1, max_length=64)]


class QueryModel(BaseModel):
    """Unknown parameters are refused: they are typing mistakes, and would show what was not asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def given(self) -> dict[str, Any]:
        """What was given, as params of a method."""
        return {name: value for name, value in self if name in self.model_fields_set and value is not None}


class SessionListQuery(QueryModel):
    status: SessionStatus | None = None
    is_active: Annotated[bool | None, Flag] = Field(None, description="Whether its owner wants it running.")
    link: LinkKind | None = None
    owner: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        None, description="For admins; a user sees only their own."
    )
    search: SearchText | None = Field(None, description="In name, phone number and device name.")
    limit: Annotated[Limit, Whole] = 50
    cursor: Cursor | None = Field(None, description="`next` leads to the following page by itself.")
    count: Annotated[Count, Flag] = False


class SessionQuery(QueryModel):
    session: SessionRef | None = Field(None, description="Absent: the caller's only session.")


class DeleteQuery(QueryModel):
    purge: Annotated[bool, Flag] = Field(False, description="Delete its messages as well.")


class MessageListQuery(QueryModel):
    session: SessionRef | None = None
    direction: Direction | None = None
    message_type: MessageType | None = None
    status: MessageStatus | None = None
    origin: Origin | None = None
    chat_id: ChatId | None = None
    contact_number: PhoneNumber | None = None
    since: QueryTime | None = Field(None, description="Queued (outbound) or sent (inbound) at or after this time.")
    until: QueryTime | None = Field(None, description="… and before this one.")
    search: SearchText | None = Field(
        None, description="Prefixes of words, all of them, in text, contact number and contact name."
    )
    order: Annotated[str, Field(pattern="^(desc|asc)$")] = Field("desc", description="By id: desc is newest first.")
    limit: Annotated[Limit, Whole] = 50
    cursor: Cursor | None = Field(None, description="`next` leads to the following page by itself.")
    count: Annotated[Count, Flag] = False


class HighLatencyQuery(MessageListQuery):
    threshold_ms: Annotated[Natural | None, Whole] = Field(
        None, description="Total latency at or over this; default: [latency] acceptable_ms."
    )


class LatencyQuery(QueryModel):
    session: SessionRef | None = None
    direction: Direction | None = None
    since: QueryTime | None = None
    until: QueryTime | None = None


class EventListQuery(QueryModel):
    after: Annotated[Sequence | None, Whole] = Field(
        None, description="Everything past this; 0: from the oldest kept; absent: the newest page."
    )
    session: Annotated[list[SessionRef] | None, BeforeValidator(split_by_commas)] = Field(
        None, max_length=1000, description="Only events of these sessions; several by commas."
    )
    types: Annotated[list[EventType] | None, BeforeValidator(split_by_commas)] = Field(
        None, max_length=64, description="Only these types of events; several by commas."
    )
    log_id: LogId | None = Field(None, description="The log that `after` is of; with another one a gap is told first.")
    limit: Annotated[int, Field(ge=1, le=1000), Whole] = 50
    count: Annotated[Count, Flag] = False


class AuditListQuery(QueryModel):
    method: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="Only this method, or a family of them (`session.`)."
    )
    owner: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        None, description="Only what was done with this owner's tokens."
    )
    uid: Annotated[Natural | None, Whole] = Field(None, description="Only what this user of the machine did.")
    outcome: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="`ok`, or the kind of a refusal."
    )
    session: SessionRef | None = Field(None, description="Only what was done to this session, as it was named then.")
    since: QueryTime | None = None
    until: QueryTime | None = None
    limit: Annotated[Limit, Whole] = 50
    cursor: Cursor | None = Field(None, description="`next` leads to the following page by itself.")
    count: Annotated[Count, Flag] = False


Sessions = Annotated[SessionListQuery, Query()]
OneSession = Annotated[SessionQuery, Query()]
Deletion = Annotated[DeleteQuery, Query()]
Messages = Annotated[MessageListQuery, Query()]
HighLatency = Annotated[HighLatencyQuery, Query()]
Latency = Annotated[LatencyQuery, Query()]
Events = Annotated[EventListQuery, Query()]
Audit = Annotated[AuditListQuery, Query()]
