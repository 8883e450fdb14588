"""What a client gets once the handshake is over: QR codes for a new one, the stream for one that is linked."""

import base64
import secrets
import time
from typing import TYPE_CHECKING, Any

from tests.fakes.whatsapp.companion import Companion, Queue
from tests.fakes.whatsapp.nodes import SERVER, node, stream_error

if TYPE_CHECKING:
    from tests.fakes.whatsapp.connection import Connection

REF_BYTES = 60


async def admit(connection: "Connection", payload: Any) -> bool:
    """Let the client in, as the device it says it is. False: it was refused, and told why."""
    network = connection.network
    is_new = payload.HasField("devicePairingData")
    version = payload.userAgent.appVersion
    network.tell(
        "handshake", registration=is_new, user=str(payload.username) if not is_new else None, device=payload.device,
        version=f"{version.primary}.{version.secondary}.{version.tertiary}",
    )  # fmt: skip
    if is_new:
        return await _admit_new(connection)
    failure = network.account(str(payload.username)).faults.failure
    person = network.directory.people.get(str(payload.username))
    companion = person.companions.get(payload.device) if person else None
    if failure is None and (companion is None or companion.noise_key != connection.noise_key):
        failure = {"reason": 401}
    if failure is not None or companion is None:
        await refuse(connection, failure or {"reason": 401})
        return False
    await _log_in(connection, companion)
    return True


async def refuse(connection: "Connection", failure: dict[str, Any]) -> None:
    """``reason`` (401, 402, 403, 405, 406, 409, 503…), with ``code`` and ``expire`` (seconds) of a temporary ban."""
    connection.network.tell("refused", **failure)
    await connection.end(node("failure", {"location": "fake", **failure}))


async def _admit_new(connection: "Connection") -> bool:
    network = connection.network
    if network.registration_failure:
        await refuse(connection, network.registration_failure)
        return False
    refs = ["2@" + base64.b64encode(secrets.token_bytes(REF_BYTES)).decode() for _ in range(network.qr_refs)]
    network.refs.update(dict.fromkeys(refs, connection))
    await connection.send(node("iq", {"from": SERVER, "type": "set", "id": "pair-1", "xmlns": "md"}, [
        node("pair-device", {}, [node("ref", {}, ref.encode()) for ref in refs])
    ]))  # fmt: skip
    return True


async def _log_in(connection: "Connection", companion: Companion) -> None:
    network, person = connection.network, companion.person
    if companion.connection:
        network.spawn(companion.connection.end(stream_error(None, node("conflict", {"type": "replaced"}))))
    connection.companion, companion.connection = companion, connection
    companion.queue.grown.set()
    await connection.send(node("success", {
        "t": int(time.time()), "lid": companion.lid_jid, "props": 27, "creation": 1_700_000_000,
        "companion_enc_static": "", "display_name": person.name,
    }))  # fmt: skip
    network.tell("login", user=person.user, device=companion.device)
    network.book.changed()
    network.spawn(connection.pump(companion))


async def announce_offline(connection: "Connection", queue: Queue) -> None:
    kinds = [stanza.tag for _, stanza in queue.pending.values()]
    await connection.send(node("ib", {"from": SERVER}, [node("offline_preview", {
        "count": len(kinds), "message": kinds.count("message"), "receipt": kinds.count("receipt"),
        "notification": kinds.count("notification"), "appdata": 0,
    })]))  # fmt: skip
    connection.network.tell("offline", count=len(kinds))


async def offline_done(connection: "Connection") -> None:
    await connection.send(node("ib", {"from": SERVER}, [node("offline", {"count": 0})]))
