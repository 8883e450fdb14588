"""What of the event log a stream wants to hear."""

from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, ValidationError
from starlette.datastructures import QueryParams

from pombal.api.queries import LogId, QueryModel, Whole, split_by_commas
from pombal.auth.tokens import Identity
from pombal.model.events import EventType
from pombal.model.params_base import Sequence, SessionRef, params_error
from pombal.service.base import Service, Subscription

BATCH_MAX = 1000
_SEVERAL = ("session", "types")


class StreamQuery(QueryModel):
    """GET /api/v1/events/stream"""

    token: Annotated[str, Field(max_length=8192)] | None = Field(
        None, repr=False, description="For who can send no header, as a browser's EventSource."
    )
    after: Annotated[Sequence | None, Whole] = Field(
        None, description="Everything past this; 0: from the oldest kept; absent: from now."
    )
    log_id: LogId | None = Field(None, description="The log that `after` is of; with another one a gap is told first.")
    session: Annotated[list[SessionRef] | None, BeforeValidator(split_by_commas)] = Field(
        None, max_length=1000, description="Only events of these sessions; several by commas."
    )
    types: Annotated[list[EventType] | None, BeforeValidator(split_by_commas)] = Field(
        None, max_length=64, description="Only these types of events; several by commas."
    )


class WebSocketQuery(StreamQuery):
    """GET /ws/whatsapp"""

    batch: Annotated[Annotated[int, Field(ge=1, le=BATCH_MAX)] | None, Whole] = Field(
        None, description="Up to so many events in one frame."
    )


AnyQuery = TypeVar("AnyQuery", bound=StreamQuery)


def parse_query(model: type[AnyQuery], params: QueryParams) -> AnyQuery:
    """Raises PombalError (invalid), which names the parameter and quotes nothing."""
    raw: dict[str, Any] = {
        name: params.getlist(name) if name in _SEVERAL else params.get(name)
        for name in params.keys()  # noqa: SIM118
    }
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise params_error(model, error) from None


def subscribe(
    service: Service, query: StreamQuery, identity: Identity, transport: str
) -> AbstractAsyncContextManager[Subscription]:
    return service.subscribe(
        after=query.after,
        sessions=query.session,
        types=query.types,
        log_id=query.log_id,
        transport=transport,
        caller=identity.caller,
    )
