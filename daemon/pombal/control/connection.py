"""One client's connection: a task that reads requests, one that writes answers, and one for each request but sends.

Sends keep their order, so the reader itself hands them over, those that came together as one; everything else may be
overtaken.
"""

from contextlib import suppress

import trio

from pombal.config.settings import ControlSettings
from pombal.control import jsonrpc
from pombal.control.exchange import UNKNOWN_METHOD, CountRequest, Exchange
from pombal.control.framing import FrameTooLong, LineReader
from pombal.control.jsonrpc import NO_ID, BadRequest, Code
from pombal.control.outgoing import Outgoing
from pombal.control.readers import check_access, shown_result
from pombal.control.subscriptions import Subscriptions
from pombal.model.caller import Caller
from pombal.model.errors import Kind, PombalError
from pombal.model.params import Params, SendParams, SubscribeParams, UnsubscribeParams
from pombal.model.results import Nothing
from pombal.service.base import SendAnswer, SendReply, Service
from pombal.service.catalog import Method

RECEIVE_BYTES = 65_536
SEND = "message.send"
# Requests of one connection that are carried out at once; of those for a page, whose answer may have megabytes, few.
RUNNING_MAX = 64
PAGES_MAX = 4
# How long a client may take for its last events, and then for its last answers, when the daemon stops: one that does
# not read must not hold it up.
WRITE_OUT_S = 5.0


class Connection:
    """Serves one stream until its client has had enough, or the daemon drains."""

    def __init__(
        self, stream: trio.abc.Stream, caller: Caller, service: Service, settings: ControlSettings, count: CountRequest
    ) -> None:
        self._stream = stream
        self._caller = caller
        self._service = service
        self._count = count
        self._outgoing = Outgoing(stream, settings.max_in_flight)
        self._sends = service.sends(caller)
        self._subscriptions = Subscriptions(service, caller, self._outgoing, settings.max_subscriptions)
        self._running = trio.Semaphore(RUNNING_MAX)
        self._paging = trio.Semaphore(PAGES_MAX)
        self._ending = False
        self._waiting: trio.CancelScope | None = None
        self._writing_out: trio.CancelScope | None = None

    async def run(self) -> None:
        """Returns once everything asked is answered and written. Closing the stream is the caller's."""
        async with trio.open_nursery() as writing:
            writing.start_soon(self._outgoing.write)
            async with trio.open_nursery() as requests:
                await self._read(requests)
                if self._ending:
                    # When the daemon drains, events end by themselves once all of them are told.
                    with trio.move_on_after(WRITE_OUT_S):
                        await self._subscriptions.all_ended()
                # A client that says nothing more is there for the answers it waits for, not for events.
                self._subscriptions.end_all()
            await self._outgoing.all_answered()
            with trio.CancelScope() as self._writing_out:
                if self._ending:
                    self._limit_writing(self._writing_out)
                await self._outgoing.all_written()
            writing.cancel_scope.cancel()

    def end(self) -> None:
        """Read no more, and answer what is in flight; then ``run`` returns."""
        self._ending = True
        self._outgoing.hurry()
        if self._waiting is not None:
            self._waiting.cancel()
        if self._writing_out is not None:
            self._limit_writing(self._writing_out)

    @staticmethod
    def _limit_writing(scope: trio.CancelScope) -> None:
        scope.deadline = trio.current_time() + WRITE_OUT_S

    # Reading

    async def _read(self, requests: trio.Nursery) -> None:
        reader = LineReader()
        while data := await self._receive():
            reader.receive_data(data)
            goes_on = await self._begin_all(reader, requests)
            await self._sends.place()
            if not goes_on:
                return

    async def _begin_all(self, reader: LineReader, requests: trio.Nursery) -> bool:
        """Whether more may come."""
        try:
            for line in reader.lines():
                if not await self._take_slot():
                    return False
                await self._begin(line, requests)
        except FrameTooLong as error:
            await self._refuse_frame(error)
            return False
        return True

    async def _receive(self) -> bytes | bytearray:
        """Nothing at the end of input: a half-close, a broken connection, or our own end."""
        if self._ending:
            return b""
        with trio.CancelScope() as self._waiting, suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            return await self._stream.receive_some(RECEIVE_BYTES)
        return b""

    async def _take_slot(self) -> bool:
        """Whether there is one; only ``end`` makes that no. These waits alone are cut short by it, no request is."""
        if self._outgoing.take_slot_nowait():
            return True
        await self._sends.place()  # their answers are what makes room
        if self._ending:
            return False
        with trio.CancelScope() as self._waiting:
            await self._outgoing.take_slot()
        return not self._waiting.cancelled_caught

    async def _refuse_frame(self, error: FrameTooLong) -> None:
        if await self._take_slot():
            self._exchange(UNKNOWN_METHOD, NO_ID).refuse_line(
                BadRequest(Code.INVALID_REQUEST, str(error), kind=Kind.TOO_LARGE)
            )

    def _exchange(self, method: str, request_id: bytes | None) -> Exchange:
        return Exchange(method, request_id, self._outgoing, self._count)

    # Carrying out

    async def _begin(self, line: bytes, requests: trio.Nursery) -> None:
        """Carry a send out up to its place in the order, and anything else in a task of its own."""
        try:
            request = jsonrpc.parse_request(line)
        except BadRequest as error:
            self._exchange(UNKNOWN_METHOD, error.id).refuse_line(error)
            return
        if request.method != SEND:
            await self._sends.place()  # what is asked for now may be about one of them
        exchange = self._exchange(request.method, request.id)
        with exchange:
            method, params = request.resolve()
            self._check(method)
            self._dispatch(exchange, params, requests)

    def _check(self, method: Method) -> None:
        if self._ending:
            raise PombalError(Kind.SHUTTING_DOWN, "the daemon is stopping")
        check_access(method, self._caller)

    def _dispatch(self, exchange: Exchange, params: Params, requests: trio.Nursery) -> None:
        match params:
            case SendParams():
                self._sends.add(params, _replier(exchange))
            case UnsubscribeParams():
                self._subscriptions.end(params.subscription)
                exchange.result(Nothing())
            case SubscribeParams() if exchange.method == "events.subscribe":
                requests.start_soon(self._subscribe, exchange, params)
            case _:
                requests.start_soon(self._call, exchange, params)

    async def _call(self, exchange: Exchange, params: Params) -> None:
        async with self._paging if "limit" in type(params).model_fields else self._running:
            with exchange:
                self._refuse_unread()
                result = await self._service.call(exchange.method, params, self._caller)
                await self._outgoing.room()
                exchange.result(shown_result(result, self._caller))

    def _refuse_unread(self) -> None:
        """At the end nothing waits for room: what a client that does not read has asked for would all be in memory."""
        if self._ending and self._outgoing.is_full:
            raise PombalError(Kind.SHUTTING_DOWN, "the daemon is stopping, and the answers before this one lie unread")

    async def _subscribe(self, exchange: Exchange, params: SubscribeParams) -> None:
        by_client = False
        with exchange:
            by_client = await self._subscriptions.run(exchange, params)
        if exchange.succeeded and not by_client:
            # Events that stop without a word would be taken for silence: the client sees the end, and resumes.
            self.end()


def _replier(exchange: Exchange) -> SendReply:
    """The callback of a send, which may be called long after, by whoever committed it."""

    def reply(answer: SendAnswer | PombalError) -> None:
        with exchange:
            if isinstance(answer, PombalError):
                exchange.refuse(answer)
            else:
                exchange.sent(answer)

    return reply
