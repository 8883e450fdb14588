"""A file out of a form into the media store, chunk by chunk."""

import base64
import hashlib
import mimetypes

from starlette.datastructures import UploadFile

from pombal.dashboard.views.conversations import bare_type
from pombal.dashboard.visit import Visit
from pombal.model.message import MessageType
from pombal.model.params_base import MEDIA_CHUNK_MAX_BYTES

_ANY = "application/octet-stream"
_TYPES = {"image": MessageType.IMAGE, "video": MessageType.VIDEO, "audio": MessageType.AUDIO}


def type_of(mime_type: str) -> MessageType:
    """How WhatsApp shows such a file. A drawing in SVG is a document there: phones do not draw it."""
    if mime_type == "image/svg+xml":
        return MessageType.DOCUMENT
    return _TYPES.get(mime_type.partition("/")[0], MessageType.DOCUMENT)


async def stored(visit: Visit, file: UploadFile) -> tuple[MessageType, dict[str, str | None]]:
    """(the type to send it as, what message.send takes as media), once it is in the store. Raises PombalError."""
    mime_type = bare_type(file.content_type or "") or mimetypes.guess_type(file.filename or "")[0] or _ANY
    digest, upload, offset = hashlib.sha256(), None, 0
    chunk = await file.read(MEDIA_CHUNK_MAX_BYTES)
    while True:
        following = await file.read(MEDIA_CHUNK_MAX_BYTES)
        digest.update(chunk)
        answer = await visit.ask(
            "media.put",
            data=base64.b64encode(chunk).decode(),
            upload=upload,
            offset=offset,
            sha256=None if following else digest.hexdigest(),
        )
        if not following:
            break
        upload, offset, chunk = answer.root.upload, answer.root.offset, following
    media = {
        "sha256": digest.hexdigest(),
        "mime_type": mime_type[:255],
        "file_name": (file.filename or "")[:255] or None,
    }
    return type_of(mime_type), media
