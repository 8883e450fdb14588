"""WhatsApp's client as neonize has it. Importing this module loads neonize, and with it whatsmeow's Go runtime.

What is not public in neonize is in ``_listen``: the status of a login has no event, and the end of a start neither.
"""

import ctypes
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import neonize
from neonize import events as seen
from neonize.client import NewClient, ProxySettings
from neonize.exc import NeonizeError
from neonize.proto.Neonize_pb2 import JID
from neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2 import DeviceProps
from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e
from neonize.utils.enum import ClientName, ClientType, MediaType, ReceiptType
from neonize.utils.log import log as neonize_log

from pombal.gateway import client
from pombal.gateway.addresses import address_of, server_of
from pombal.gateway.client import Callbacks, ClientError, FileKind, Refusal, SentAs, Uploaded
from pombal.gateway.contacts import found_by_spelling
from pombal.gateway.failures import understood
from pombal.gateway.fixed_ids import FixedIds
from pombal.gateway.keys import KEYS, has_keys, prepare_keys, remove_keys
from pombal.link.base import ContactInfo
from pombal.model.phone import LID_SERVER

DEVICE_NAME = "Pombal"
ENTERED_S = 0.05
"""For calls that have just begun to have found their client in neonize's tables, before it leaves them."""
_KINDS = {
    FileKind.IMAGE: MediaType.MediaImage,
    FileKind.VIDEO: MediaType.MediaVideo,
    FileKind.AUDIO: MediaType.MediaAudio,
    FileKind.DOCUMENT: MediaType.MediaDocument,
}


class NeonizeFactory:
    """One a process; made before any client."""

    def __init__(self) -> None:
        _quieten()
        self._fixed_ids = FixedIds()
        library = next(Path(neonize.__file__).parent.glob("neonize-linux-*.so"))
        self._fixed_ids.install(str(library), neonize.__version__)
        self.protobufs: Any = e2e

    @property
    def fixes_ids(self) -> bool:
        return self._fixed_ids.is_installed

    def make(self, directory: Path, device_name: str | None, proxy: str | None, callbacks: Callbacks) -> client.Client:
        return NeonizeClient(directory / KEYS, device_name or DEVICE_NAME, proxy, callbacks, self._fixed_ids)

    def has_keys(self, directory: Path) -> bool:
        return has_keys(directory)

    def remove_keys(self, directory: Path) -> None:
        remove_keys(directory)


class NeonizeClient:
    """A client.Client."""

    def __init__(
        self, keys: Path, device_name: str, proxy: str | None, callbacks: Callbacks, fixed_ids: FixedIds
    ) -> None:
        self._callbacks = callbacks
        self._fixed_ids = fixed_ids
        self._proxy = ProxySettings(proxy) if proxy else None
        self._is_stopping = False
        prepare_keys(keys.parent)
        # An id of its own each time: what a stopped client has left in neonize's tables is nobody else's.
        self._client = NewClient(
            str(keys),
            uuid=f"{keys.parent.name}-{secrets.token_hex(4)}",
            props=DeviceProps(os=device_name, platformType=DeviceProps.CHROME),
        )
        self._listen()

    def _listen(self) -> None:
        told, on = self._callbacks, self._client.event
        self._client._NewClient__onLoginStatus = lambda _, status: told.signal(
            client.LoginStatus(ctypes.string_at(status).decode())
        )
        on.qr(lambda _, code: told.signal(client.QrShown(code.decode())))
        execute = on.execute

        def execute_and_tell(uuid: int, binary: int, size: int, code: int) -> None:
            execute(uuid, binary, size, code)
            if code == 0 and self._client.me is not None:
                told.signal(client.Begun(self._client.me.JID.User))

        on.execute = execute_and_tell
        on(seen.MessageEv)(lambda _, event: told.message(event))
        on(seen.UndecryptableMessageEv)(lambda _, event: told.undecryptable(event))
        on(seen.ReceiptEv)(lambda _, event: told.receipt(event))
        on(seen.HistorySyncEv)(lambda _, event: told.history(event.Data))
        for kind, signal_of in _SIGNALS.items():
            on(kind)(_teller(told, signal_of))
        on(seen.ConnectedEv)(lambda _, __: told.signal(client.Connected(self._client.get_me().JID.User)))

    def run(self) -> None:
        error: str | None = None
        try:
            self._client.connect(self._proxy)
        except Exception as raised:  # whatever it was, the life of the client decides on it
            error = f"{type(raised).__name__}: {raised}"
        self._callbacks.signal(client.RunEnded(error))

    def disconnect(self) -> None:
        self._client.disconnect()

    def stop(self) -> None:
        self._is_stopping = True
        time.sleep(ENTERED_S)
        self._client.stop()

    def _asked(self, question: Callable[[], Any]) -> Any:
        """Raises ClientError, Refusal. A stopped client is asked nothing: neonize would not find it, and crash."""
        if self._is_stopping:
            raise ClientError("the client is being stopped")
        try:
            return question()
        except NeonizeError as error:
            refusal = understood(str(error))
            raise (refusal or ClientError(str(error))) from error

    def send(self, to: str, message: Any, link_id: str) -> SentAs:
        with self._fixed_ids.next_id(link_id):
            answer = self._asked(lambda: self._client.send_message(_jid(to), message))
        return SentAs(answer.ID, answer.Timestamp)

    def mark_read(self, chat: str, sender: str, link_ids: Sequence[str]) -> None:
        self._asked(
            lambda: self._client.mark_read(*link_ids, chat=_jid(chat), sender=_jid(sender), receipt=ReceiptType.READ)
        )

    def check(self, numbers: Sequence[str]) -> list[ContactInfo]:
        return found_by_spelling(numbers, self._look_up)

    def _look_up(self, spellings: Sequence[str]) -> dict[str, tuple[str, str | None]]:
        """Those of them that have an account, with its phone number's address and its LID."""
        answers = self._asked(lambda: self._client.is_on_whatsapp(*(f"+{each}" for each in spellings)))
        found = {}
        for answer in answers:
            address = address_of(answer.JID)
            if answer.IsIn and address is not None:
                found[answer.Query.lstrip("+")] = self._both(address, answer.Query.lstrip("+"))
        return found

    def _both(self, address: str, number: str) -> tuple[str, str | None]:
        if server_of(address) == LID_SERVER:
            return self.counterpart(address) or f"{number}@s.whatsapp.net", address
        return address, self._lid_of(address)

    def _lid_of(self, address: str) -> str | None:
        with suppress(ClientError, Refusal):
            if (lid := self._stored_lid(address)) is not None:
                return lid
            self._asked(lambda: self._client.get_user_info(_jid(address)))  # which stores what is looked for
            return self._stored_lid(address)
        return None

    def _stored_lid(self, address: str) -> str | None:
        return address_of(self._asked(lambda: self._client.get_lid_from_pn(_jid(address))))

    def counterpart(self, lid: str) -> str | None:
        with suppress(ClientError, Refusal):
            return address_of(self._asked(lambda: self._client.get_pn_from_lid(_jid(lid))))
        return None

    def pair_code(self, number: str) -> str:
        code: str = self._asked(lambda: self._client.PairPhone(number, True, ClientName.LINUX, ClientType.CHROME))
        return code

    def logout(self) -> None:
        self._asked(self._client.logout)

    def probe(self) -> None:
        self._asked(lambda: self._client.set_passive(False))

    def upload(self, path: Path, kind: FileKind) -> Uploaded:
        up = self._asked(lambda: self._client.upload(path.read_bytes(), _KINDS[kind]))
        return Uploaded(up.url, up.DirectPath, up.MediaKey, up.FileSHA256, up.FileEncSHA256, up.FileLength)

    def download(self, message: bytes, path: Path) -> None:
        path.write_bytes(self._asked(lambda: self._client.download_any(e2e.Message.FromString(message))))


def _teller(callbacks: Callbacks, signal_of: Callable[[Any], client.Signal]) -> Callable[[Any, Any], None]:
    return lambda _, event: callbacks.signal(signal_of(event))


def _paired(event: Any) -> client.Signal:
    if event.Status == event.PStatus.Value("SUCCESS"):
        return client.Paired(event.ID.User)
    return client.PairRefused(event.Error)


_SIGNALS: dict[Any, Callable[[Any], client.Signal]] = {
    seen.PairStatusEv: _paired,
    seen.DisconnectedEv: lambda _: client.Disconnected(),
    seen.LoggedOutEv: lambda event: client.LoggedOut(event.Reason),
    seen.StreamReplacedEv: lambda _: client.Replaced(),
    seen.TemporaryBanEv: lambda event: client.Banned(
        event.TempBanReason.Name(event.Code).lower(), event.Expire or None
    ),
    seen.ConnectFailureEv: lambda event: client.ConnectRefused(event.Reason, event.Message),
    seen.ClientOutdatedEv: lambda _: client.Outdated(),
    seen.StreamErrorEv: lambda event: client.StreamFailed(event.Code),
    seen.KeepAliveTimeoutEv: lambda event: client.KeepAliveMissed(event.ErrorCount),
    seen.KeepAliveRestoredEv: lambda _: client.KeepAliveRestored(),
}


def _jid(address: str) -> Any:
    user, _, server = address.partition("@")
    return JID(User=user, RawAgent=0, Device=0, Integrator=0, Server=server, IsEmpty=False)


def _quieten() -> None:
    """neonize sets up handlers of its own, and its client tells more than a log should hold (codes, addresses)."""
    for handler in [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]:
        logging.getLogger().removeHandler(handler)
    neonize_log.setLevel(logging.WARNING)
    logging.getLogger("neonize.utils.ffmpeg").setLevel(logging.ERROR)  # nothing here converts files
    for name in ("neonize", "whatsmeow", "Whatsmeow"):
        logging.getLogger(name).setLevel(logging.WARNING)
