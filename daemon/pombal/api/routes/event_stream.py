"""/api/v1/events/stream: the events as Server-Sent Events, from the same hub as the WebSocket's."""

from typing import Annotated

import trio
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from pombal.api.answers import UNCACHED
from pombal.api.context import Api, api_of
from pombal.api.documented import refusals
from pombal.api.event_frames import PIECE_BYTES, sse_of
from pombal.api.expiry import until_expired
from pombal.api.middleware import IS_HEAD
from pombal.api.stream_access import OpenStreams, identify_stream
from pombal.api.stream_query import StreamQuery, subscribe
from pombal.auth.tokens import Identity
from pombal.model.errors import PombalError, invalid
from pombal.model.params_base import INT64_MAX
from pombal.service.base import Subscription

TRANSPORT = "sse"
# How long an EventSource waits before it comes again.
RETRY_MS = 2000
_EXAMPLE = (
    'id: 4712\ndata: {"seq":4712,"type":"message.status","session":"suporte","owner":"42","at":"…","data":{…}}\n\n'
)


def event_stream_router(streams: OpenStreams) -> APIRouter:
    router = APIRouter(prefix="/api/v1/events", tags=["events"])

    @router.get(
        "/stream",
        summary="Events as they happen (Server-Sent Events)",
        response_class=Response,
        responses={
            200: {
                "description": "Events without end, each with its `seq` as its id; comments in between are heartbeats.",
                "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
            },
            **refusals(403, 422),
        },
    )
    async def stream(request: Request, query: Annotated[StreamQuery, Query()]) -> Response:
        """For a browser's `EventSource`, or `curl -N`. `Last-Event-ID` (which an EventSource sends when it comes
        again) goes before `after`. The stream ends when the token expires or the daemon stops.
        """
        identity = identify_stream(request, needs_origin=False)
        last = _last_event_id(request)
        if last is not None:
            query = query.model_copy(update={"after": last})
        return EventStream(api_of(request), streams, identity, query)

    return router


def _last_event_id(request: Request) -> int | None:
    """Raises PombalError (invalid)."""
    value = request.headers.get("last-event-id")
    if not value:  # an EventSource that has had none yet may send an empty one
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 20 and int(value) <= INT64_MAX):
        raise invalid("Last-Event-ID: must be the id of an event, a whole number")
    return int(value)


class EventStream(Response):
    """A response that lasts. Plain ASGI: the framework's own streaming would put its tasks and queue between."""

    def __init__(self, api: Api, streams: OpenStreams, identity: Identity, query: StreamQuery) -> None:
        super().__init__(media_type="text/event-stream", headers={**UNCACHED, "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._api = api
        self._streams = streams
        self._identity = identity
        self._query = query

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises PombalError before the first byte where the token has too many streams."""
        http = self._api.settings().http
        with self._streams.one_more(self._identity.token_id, http.streams_per_token):
            async with subscribe(self._api.service, self._query, self._identity, TRANSPORT) as subscription:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                if scope.get(IS_HEAD):
                    await send({"type": "http.response.body", "body": b""})
                    return
                with trio.CancelScope() as listening:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._until_gone, receive, listening)
                        nursery.start_soon(self._until_expired, listening)
                        await self._tell(subscription, send, http.heartbeat_s)
                        listening.cancel()
                await send({"type": "http.response.body", "body": b""})

    async def _until_gone(self, receive: Receive, listening: trio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        listening.cancel()

    async def _until_expired(self, listening: trio.CancelScope) -> None:
        await until_expired(self._identity.expires_at_s)
        listening.cancel()

    async def _tell(self, subscription: Subscription, send: Send, heartbeat_s: float) -> None:
        await send(_piece(f"retry: {RETRY_MS}\n\n".encode()))
        while True:
            events = None
            with trio.move_on_after(heartbeat_s):
                try:
                    events = await subscription.next_batch()
                except (trio.EndOfChannel, PombalError):  # it drains, or the log cannot be read: the client comes again
                    return
            if events is None:
                await send(_piece(b":\n\n"))
                continue
            told = sse_of(events)
            for start in range(0, len(told), PIECE_BYTES):
                await send(_piece(told[start : start + PIECE_BYTES]))


def _piece(body: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": True}
