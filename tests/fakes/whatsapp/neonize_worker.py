"""The real client without Pombal: one session of unmodified neonize, driven by JSON lines. For the fake's own tests.

``python -P neonize_worker.py '{"db": …, "root_key": …, "proxy": …}'``
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))
OUT = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # Go and neonize print to descriptor 1
os.environ["NEONIZE_BOT_TAG"] = "off"

from tests.fakes.whatsapp import launcher  # noqa: E402

CONFIG = json.loads(sys.argv[1])
sys.meta_path.insert(0, launcher.PatchOnLoad(bytes.fromhex(CONFIG["root_key"])))

from neonize import client as neonize  # noqa: E402
from neonize import events as seen  # noqa: E402
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import ImageMessage, Message  # noqa: E402
from neonize.utils.enum import ReceiptType  # noqa: E402

_lock = threading.Lock()


def say(fields: dict[str, Any]) -> None:
    with _lock:
        OUT.write(json.dumps(fields) + "\n")
        OUT.flush()


def emit(event: str, **fields: Any) -> None:
    say({"event": event, **fields})


def jid(value: Any) -> str:
    return f"{value.User}{f':{value.Device}' if value.Device else ''}@{value.Server}"


CLIENT = neonize.NewClient(CONFIG["db"], uuid="worker")


def on(kind: Any, name: str, fields: Callable[[Any], dict[str, Any]] = lambda _: {}) -> None:
    def handler(_client: Any, event: Any) -> None:
        emit(name, **fields(event))

    CLIENT.event(kind)(handler)


def _message(event: Any) -> dict[str, Any]:
    info, message = event.Info, event.Message
    source = info.MessageSource
    return {
        "id": info.ID, "chat": jid(source.Chat), "sender": jid(source.Sender), "own": source.IsFromMe,
        "text": message.conversation or message.extendedTextMessage.text, "edit": event.IsEdit,
        "kinds": [field.name for field, _ in message.ListFields()], "name": info.Pushname,
    }  # fmt: skip


CLIENT.event.qr(lambda _client, code: emit("qr", code=code.decode()))
on(seen.PairStatusEv, "pair", lambda event: {"jid": jid(event.ID)})
on(seen.ConnectedEv, "connected")
on(seen.DisconnectedEv, "disconnected")
on(seen.StreamReplacedEv, "replaced")
on(seen.LoggedOutEv, "logged_out", lambda event: {"reason": int(event.Reason)})
on(seen.ConnectFailureEv, "connect_failure", lambda event: {"reason": int(event.Reason)})
on(seen.TemporaryBanEv, "temporary_ban", lambda event: {"code": int(event.Code), "expire": str(event.Expire)})
on(seen.ClientOutdatedEv, "outdated")
on(seen.StreamErrorEv, "stream_error", lambda event: {"code": event.Code})
on(seen.KeepAliveTimeoutEv, "keepalive_timeout")
on(seen.MessageEv, "message", _message)
on(seen.UndecryptableMessageEv, "undecryptable", lambda event: {"id": event.Info.ID})
on(seen.ReceiptEv, "receipt", lambda event: {"ids": list(event.MessageIDs), "type": int(event.Type)})
on(seen.OfflineSyncCompletedEv, "offline_done")
on(seen.HistorySyncEv, "history", lambda event: {"chats": len(event.Data.conversations)})


def run() -> None:
    try:
        CLIENT.connect(neonize.ProxySettings(CONFIG["proxy"]))
        emit("connect_returned")
    except Exception as error:
        emit("connect_error", detail=repr(error))


def send(to: str, text: str, server: str = "s.whatsapp.net") -> dict[str, Any]:
    return {"id": CLIENT.send_message(neonize.build_jid(to, server), text).ID}


def read(chat: str, ids: list[str], kind: str = "READ") -> dict[str, Any]:
    who = neonize.build_jid(chat)
    CLIENT.mark_read(*ids, chat=who, sender=who, receipt=ReceiptType[kind])
    return {}


def pair_code(phone: str) -> dict[str, Any]:
    return {"code": CLIENT.PairPhone(phone, True)}


def exists(numbers: list[str]) -> dict[str, Any]:
    found = CLIENT.is_on_whatsapp(*numbers)
    return {"found": [{"query": each.Query, "jid": jid(each.JID), "in": each.IsIn} for each in found]}


def image(to: str, size_bytes: int) -> dict[str, Any]:
    up = CLIENT.upload(os.urandom(size_bytes), neonize.MediaType.MediaImage)
    part = ImageMessage(
        URL=up.url, directPath=up.DirectPath, mediaKey=up.MediaKey, fileEncSHA256=up.FileEncSHA256,
        fileSHA256=up.FileSHA256, fileLength=up.FileLength, mimetype="image/jpeg",
    )  # fmt: skip
    return {
        "id": CLIENT.send_message(neonize.build_jid(to), Message(imageMessage=part)).ID,
        "sha256": up.FileSHA256.hex(),
    }


def logout() -> dict[str, Any]:
    CLIENT.logout()
    return {}


def stop() -> dict[str, Any]:
    CLIENT.disconnect()
    CLIENT.stop()
    return {}


DO: dict[str, Callable[..., dict[str, Any]]] = {
    each.__name__: each for each in (send, read, pair_code, exists, image, logout, stop)
}


def obey(request: dict[str, Any]) -> None:
    number = request.pop("n")
    try:
        say({"n": number, "result": DO[request.pop("do")](**request)})
    except Exception as error:
        say({"n": number, "error": repr(error)})


threading.Thread(target=run, daemon=True).start()
for line in sys.stdin:
    threading.Thread(target=obey, args=(json.loads(line),), daemon=True).start()
os._exit(0)
