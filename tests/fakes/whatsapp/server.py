"""The listener behind web.whatsapp.com, and everything that goes with it."""

import ssl
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.fakes.whatsapp import tls
from tests.fakes.whatsapp.connection import Connection
from tests.fakes.whatsapp.network import Network, Tell

MESSAGE_MAX_BYTES = 1 << 24


class Fake:
    """A running fake: ``proxy_url`` is where clients go, with the authority's file and the root key."""

    def __init__(self, network: Network, authority_file: Path, server: Server) -> None:
        self.network = network
        self.authority_file = authority_file
        self._server = server

    @property
    def proxy_url(self) -> str:
        return f"http://127.0.0.1:{self.network.proxy.port}"

    @property
    def root_key(self) -> str:
        return self.network.certificates.root_public.hex()


async def start(directory: Path, tell: Tell, *, proxy_port: int = 0, seed: int = 0) -> Fake:
    directory.mkdir(parents=True, exist_ok=True)
    network = Network(directory, tell, seed=seed)
    authority_file, context = tls.make(directory)
    server = await _serve(network, context)
    network.web_port = next(iter(server.sockets)).getsockname()[1]
    await network.media.start(context)
    await network.proxy.start(proxy_port)
    return Fake(network, authority_file, server)


async def _serve(network: Network, context: ssl.SSLContext) -> Server:
    async def accept(socket: ServerConnection) -> None:
        connection = Connection(network, socket)
        network.connections.add(connection)
        try:
            await connection.run()
        except (ConnectionClosed, StopAsyncIteration):
            pass  # the client went, in the middle of the handshake or later
        except Exception as error:  # the fake's mistake, or a client's
            network.tell("error", detail=repr(error))
        finally:
            _forget(network, connection)

    # No pings of the socket's own: WhatsApp's are stanzas, and a stalled server answers nothing.
    return await serve(
        accept, "127.0.0.1", 0, ssl=context, max_size=MESSAGE_MAX_BYTES, compression=None, ping_interval=None
    )


def _forget(network: Network, connection: Connection) -> None:
    network.connections.discard(connection)
    for ref in [ref for ref, each in network.refs.items() if each is connection]:
        del network.refs[ref]
    connection.stall(False)
    companion = connection.companion
    if companion and companion.connection is connection:
        companion.connection = None
        companion.queue.grown.set()  # what wrote to it ends
    network.tell("closed", user=companion.person.user if companion else None)
    network.book.changed()
