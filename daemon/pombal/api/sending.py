"""Sending, as HTTP and the WebSocket have it: a file may come along, and the answer is waited for."""

from collections.abc import Awaitable, Callable

import trio

from pombal.api.requests import InlineMedia, SendBody
from pombal.api.whose import session_or_only
from pombal.model.caller import Caller
from pombal.model.content import MediaReference
from pombal.model.params import SendParams
from pombal.service.base import SendAnswer, Service


async def carry_out_send(service: Service, body: SendBody, caller: Caller) -> SendAnswer:
    """Queue the message; returns once it is committed. Raises PombalError for what is refused."""
    session = await session_or_only(service, caller, body.session)
    media = body.media
    if isinstance(media, InlineMedia):
        stored = await service.put_media(_once(media.base64), caller)
        media = MediaReference(sha256=stored.sha256, mime_type=media.mime_type, file_name=media.file_name)
    given = {name: getattr(body, name) for name in SendParams.model_fields}
    params = SendParams.model_construct(**given | {"session": session, "media": media})
    return await service.send(params, caller)


def _once(data: bytes) -> Callable[[], Awaitable[bytes]]:
    """The file in pieces, none at its end."""
    pieces = [data[start : start + 1_048_576] for start in range(0, len(data), 1_048_576)]
    pieces.reverse()

    async def receive() -> bytes:
        await trio.lowlevel.checkpoint()
        return pieces.pop() if pieces else b""

    return receive
