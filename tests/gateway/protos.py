"""neonize's own protobufs, and short ways to build them."""

import io
from typing import Any
from unittest.mock import patch

# neonize asks `uname` through a pipe that it leaves open, when it is imported.
with patch("os.popen", lambda _: io.StringIO("Linux")):
    from neonize.proto import Neonize_pb2 as neonize_pb
    from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e
    from neonize.proto.waHistorySync import WAWebProtobufsHistorySync_pb2 as history_pb

__all__ = ["e2e", "history_pb", "neonize_pb"]

PEER, PEER_LID = "5511988880002", "900000000000002"
OWN, OWN_LID = "5511999990001", "900000000000001"
GROUP = "120363000000000001"
SHA256 = bytes(range(32))


def jid(user: str = "", server: str = "s.whatsapp.net", device: int = 0) -> Any:
    return neonize_pb.JID(
        User=user, RawAgent=0, Device=device, Integrator=0, Server=server if user else "", IsEmpty=not user
    )


def source(
    chat: Any,
    sender: Any,
    *,
    from_me: bool = False,
    sender_alt: Any = None,
    recipient_alt: Any = None,
) -> Any:
    return neonize_pb.MessageSource(
        Chat=chat,
        Sender=sender,
        IsFromMe=from_me,
        IsGroup=chat.Server == "g.us",
        SenderAlt=sender_alt or jid(),
        RecipientAlt=recipient_alt or jid(),
        BroadcastListOwner=jid(),
    )


def from_peer() -> Any:
    return source(jid(PEER), jid(PEER, device=3), sender_alt=jid(PEER_LID, "lid", 3))


def info(message_source: Any, link_id: str = "3EB0AA", timestamp_ms: int = 1_790_000_000_000) -> Any:
    return neonize_pb.MessageInfo(
        MessageSource=message_source, ID=link_id, ServerID=0, Type="text", Pushname="Maria", Timestamp=timestamp_ms,
        Category="", Multicast=False, MediaType="", Edit="",
    )  # fmt: skip


def message_event(message: Any, message_source: Any = None, *, is_edit: bool = False, link_id: str = "3EB0AA") -> Any:
    return neonize_pb.Message(
        Info=info(message_source or from_peer(), link_id), Message=message, IsEphemeral=False, IsViewOnce=False,
        IsViewOnceV2=False, IsViewOnceV2Extension=False, IsDocumentWithCaption=False, IsLottieSticker=False,
        IsEdit=is_edit, UnavailableRequestID="", RetryCount=0,
    )  # fmt: skip


def file_fields(**more: Any) -> dict[str, Any]:
    """What every message with a file has."""
    return {
        "URL": "https://mmg.whatsapp.net/v/1", "directPath": "/v/1", "mediaKey": b"k" * 32, "fileEncSHA256": b"e" * 32,
        "fileSHA256": SHA256, "fileLength": 1234, **more,
    }  # fmt: skip
