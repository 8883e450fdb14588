"""The files behind messages, as clients of the daemon get them."""

import hashlib

import trio

from pombal.control.client import Client, RemoteError
from tests.web.world import POLL_S, WAIT_S


async def hash_of_stored(client: Client, sha256: str) -> str:
    """Of the file as the daemon hands it out, once it has followed its message."""
    with trio.fail_after(WAIT_S):
        while True:
            try:
                digest = hashlib.sha256()
                async for chunk in client.get_media(sha256):
                    digest.update(chunk)
            except RemoteError:
                await trio.sleep(POLL_S)  # it is still on its way, and has no event of its own
            else:
                return digest.hexdigest()
