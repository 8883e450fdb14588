"""The event subscriptions of one connection, each a cursor that moves when its client has taken what came before."""

import trio

from pombal.control import jsonrpc
from pombal.control.exchange import Exchange
from pombal.control.outgoing import Outgoing
from pombal.control.readers import shown_events
from pombal.model.caller import Caller
from pombal.model.errors import Kind, PombalError, not_found
from pombal.model.params import SubscribeParams
from pombal.model.results import Subscribed
from pombal.service.base import Service, Subscription

TRANSPORT = "control"


class Subscriptions:
    """Subscriptions by the name their client knows them by."""

    def __init__(self, service: Service, caller: Caller, outgoing: Outgoing, max_subscriptions: int) -> None:
        self._service = service
        self._caller = caller
        self._outgoing = outgoing
        self._max = max_subscriptions
        self._opened = 0
        self._open = 0
        self._closed = trio.Event()
        self._ended = False
        self._scopes: dict[str, trio.CancelScope] = {}

    async def run(self, exchange: Exchange, params: SubscribeParams) -> bool:
        """Answer, then notify until the end. Whether ``end`` or ``end_all`` ended it, and not the daemon.

        Raises PombalError where there are too many, or the service refuses.
        """
        if self._open >= self._max:
            raise PombalError(
                Kind.CONFLICT, f"this connection has {self._max} subscriptions; end one, or open another connection"
            )
        self._open += 1
        try:
            return await self._subscribe(exchange, params)
        finally:
            self._open -= 1
            self._closed.set()
            self._closed = trio.Event()

    def end(self, name: str) -> None:
        """Raises PombalError (not_found)."""
        if name not in self._scopes:
            raise not_found(f"this connection has no subscription {name!r}")
        self._scopes[name].cancel()

    async def all_ended(self) -> None:
        """Wait until none is open."""
        while self._open:
            await self._closed.wait()

    def end_all(self) -> None:
        """For good: one that is still being opened is answered, and ends."""
        self._ended = True
        for scope in self._scopes.values():
            scope.cancel()

    async def _subscribe(self, exchange: Exchange, params: SubscribeParams) -> bool:
        self._opened += 1
        name = str(self._opened)
        async with self._service.subscribe(
            after=params.after,
            sessions=params.sessions,
            types=params.types,
            log_id=params.log_id,
            transport=TRANSPORT,
            caller=self._caller,
        ) as subscription:
            exchange.result(Subscribed(subscription=name, log_id=subscription.log_id))
            with trio.CancelScope() as scope:
                self._scopes[name] = scope
                if self._ended:
                    scope.cancel()
                try:
                    await self._notify(name, subscription)
                finally:
                    del self._scopes[name]
        return scope.cancelled_caught

    async def _notify(self, name: str, subscription: Subscription) -> None:
        """Ask for the next events only once those before are written: a slow client costs no more than its cursor."""
        while True:
            try:
                batch = await subscription.next_batch()
            except trio.EndOfChannel:
                return
            for piece in jsonrpc.encode_events(name, shown_events(batch, self._caller)):
                await self._outgoing.send(piece)
