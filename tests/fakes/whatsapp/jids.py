"""WhatsApp's addresses: ``user[:device]@server``, by phone number or by LID."""

from typing import NamedTuple

PHONE = "s.whatsapp.net"
LID = "lid"
GROUP = "g.us"


class Jid(NamedTuple):
    user: str
    server: str
    device: int = 0

    def __str__(self) -> str:
        return f"{self.user}:{self.device}@{self.server}" if self.device else f"{self.user}@{self.server}"

    @property
    def is_group(self) -> bool:
        return self.server == GROUP


def parse(text: str) -> Jid:
    """``user[:device]@server``; without a server it is a phone number."""
    address, _, server = text.partition("@")
    user, _, device = address.partition(":")
    return Jid(user, PHONE if server in ("", "c.us") else server, int(device or 0))
