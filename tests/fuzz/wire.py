"""Both ends of the wire in one talk, with frames spoilt on their way; what comes through is dealt with as in life."""

import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pombal.link import base
from pombal.link.base import Delivery
from pombal.link.wire import DaemonEnd, ErrorCode, GatewayEnd, WireError, commands, frames
from pombal.link.wire.codec import FROM_DAEMON
from pombal.link.wire.events import EVENTS, event_to_wire
from pombal.link.wire.gateway_end import Asked, Misunderstood
from pombal.model.clock import Stamp
from pombal.model.message import MessageStatus, MessageType
from pombal.session.intake import changes_of
from tests.fuzz.mutate import Mutator
from tests.link.wire.pair import SESSION, gateway_end

AT = Stamp(1_750_000_000_123, 5_000)
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TALK_FRAMES = 40  # after which both ends are new
CHAT, ANA = "5511988887777@s.whatsapp.net", "5511988887777"

LINK_EVENTS: tuple[base.LinkEvent, ...] = (
    base.Qr("2@abc,def,ghi", 1_750_000_020_000),
    base.PairCode("ABCD-1234", 1_750_000_020_000),
    base.Authenticated("5511999990001", "5511999990001", "Pixel"),
    base.Ready(),
    base.IncomingMessage("3EB0A", CHAT, 1_750_000_000, text="Bom dia 🙏", contact_number=ANA, contact_name="Zé"),
    base.IncomingMessage(
        "3EB0B", "120363025@g.us", 1_750_000_000, MessageType.IMAGE, "foto", participant=CHAT, offline=True,
        content={"media": {"sha256": SHA256, "mime_type": "image/png", "size_bytes": 4, "file_name": "a.png"}},
    ),
    base.IncomingMessage(
        "3EB0C", CHAT, 1_750_000_000, MessageType.LOCATION, contact_lid="1@lid", quoted_link_id="3EB0A",
        content={"location": {"latitude": -23.5, "longitude": -46.6, "name": "Sé"}},
    ),
    base.Receipt(("3EB0A", "3EB0D"), MessageStatus.READ, 1_750_000_001),
    base.Sent("3EB0D", 1_750_000_001),
    base.Failed("3EB0E", "not_on_whatsapp", "nobody has this number"),
    base.Edited(CHAT, "3EB0A", "Boa tarde"),
    base.Revoked(CHAT, "3EB0A"),
    base.Restricted(1_750_000_060_000, "too many strangers"),
    base.Ended(base.EndKind.BANNED, "for a day", 1_750_086_400_000),
    base.Garbage("<xml>", "a stanza cut short"),
    base.Gap("the client was killed"),
)  # fmt: skip

COMMANDS: tuple[commands.Command, ...] = (
    base.Outgoing("3EB0F", CHAT, ANA, MessageType.TEXT, "Olá", None, "3EB0A"),
    commands.MarkRead(CHAT, "", ("3EB0A",)),
    commands.CheckContacts((ANA, "5511900000000")),
    commands.GetPairCode(ANA),
    commands.Logout(),
    commands.Probe(),
    commands.HasMedia(SHA256),
    commands.PutMedia(SHA256, 4, 0),
    commands.GetMedia(SHA256, 1),
    commands.MediaTaken(SHA256),
)

RESULTS: dict[type[Any], commands.Result] = {
    commands.CheckContacts: commands.Contacts((base.ContactInfo(ANA, True, CHAT, "1@lid"),)),
    commands.GetPairCode: base.PairCode("ABCD-1234", 1_750_000_020_000),
    commands.HasMedia: commands.Has(True),
}


@dataclass
class Tally:
    """What became of the frames, so that a run that tried nothing is seen to have tried nothing."""

    frames: int = 0
    heard: int = 0
    refused: dict[ErrorCode, int] = field(default_factory=dict)
    garbage: int = 0
    changes: int = 0


def valid_frames() -> list[dict[str, Any]]:
    """One of each that goes either way."""
    daemon, gateway = DaemonEnd(), gateway_end()
    texts = [daemon.hello("0.1", SESSION), gateway.hello(), gateway.refused(frames.RefusedKind.UNAVAILABLE, "full")]
    gateway.receive(texts[0])
    daemon.receive(texts[1])
    for seq, event in enumerate(LINK_EVENTS):
        texts.append(gateway.event(seq, event))
        daemon.receive(texts[-1])
        texts.append(daemon.ack(seq))
    for command in COMMANDS:
        id_, text = daemon.command(command)
        gateway.receive(text)
        texts += [text, gateway.answer(id_, RESULTS.get(type(command), commands.Done()))]
    texts += [
        gateway.facts(frames.Facts(True, 1_750_000_000_000, 90_000_000)),
        gateway.media_waiting([frames.MediaItem(SHA256, 4, "image/png")]),
        gateway.lost("the network is gone"), daemon.ping(1), daemon.pong(1),
        '{"type":"chunk_ack","transfer":0,"size_bytes":4}', '{"type":"answer","id":1,"error":{"kind":"invalid"}}',
        '{"type":"telepathy","optional":true}',
    ]  # fmt: skip
    return [json.loads(text) for text in texts]


class Talks:
    """Talks of two ends, one after the other: greeted mostly, then whatever comes."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._valid = valid_frames()
        hellos = [frame for frame in self._valid if frame["type"] == "hello"]
        self._hellos = [*hellos, *({**frame, "protocol": 2} for frame in hellos)]
        self._mutator = Mutator(self._rng, self._valid)
        self._number = 0
        self.tally = Tally()

    def run(self, count: int) -> None:
        """count frames, each to the end that it is for, some to the other. Raises whatever is not a WireError."""
        while self.tally.frames < count:
            self._talk(min(TALK_FRAMES, count - self.tally.frames))

    def _talk(self, count: int) -> None:
        daemon, gateway = DaemonEnd(), gateway_end()
        if is_greeted := self._rng.random() < 0.9:
            gateway.receive(daemon.hello("0.1", SESSION))
            daemon.receive(gateway.hello())
            for command in self._rng.sample(COMMANDS, 3):
                daemon.command(command)
            self._number = 0
        told_seq = -1
        for number in range(count):
            hello_only = not is_greeted and number == 0
            payload, to_daemon, to_gateway = self.payload(self._hellos if hello_only else self._valid)
            self.tally.frames += 1
            if to_gateway:
                self._answer(gateway, self._heard(gateway.receive, payload))
            if to_daemon and isinstance(heard := self._heard(daemon.receive, payload), Delivery):
                assert heard.seq > told_seq, "a number that does not grow"
                told_seq = heard.seq
                self._record(heard)
                daemon.ack(heard.seq)

    def payload(self, valid: Sequence[dict[str, Any]]) -> tuple[str | bytes, bool, bool]:
        """(what is said, whether to the daemon, whether to the gateway).

        Numbers often fit: small ones that grow, so that frames get past the first check.
        """
        if self._rng.random() < 0.03:
            return self._rng.randbytes(self._rng.choice((0, 3, 4, 5, 100, 262_148, 262_149))), True, True
        frame = dict(self._rng.choice(valid))
        for name in ("seq", "id", "n"):
            if name in frame and self._rng.random() < 0.9:
                self._number += 1
                frame[name] = self._number
        astray = self._rng.random() < 0.1
        data = self._mutator.frame(frame)
        # What is no UTF-8 never gets past the WebSocket library; lone surrogates do not either, but may one day.
        text = data.decode("utf-8", self._rng.choice(("replace", "surrogateescape")))
        return text, astray or frame["type"] not in FROM_DAEMON.names(), astray or frame["type"] in FROM_DAEMON.names()

    def _heard(self, receive: Callable[[str | bytes], Any], payload: str | bytes) -> Any:
        try:
            heard = receive(payload)
        except WireError as error:
            self.tally.refused[error.code] = self.tally.refused.get(error.code, 0) + 1
            return None
        self.tally.heard += heard is not None
        return heard

    def _record(self, delivery: Delivery) -> None:
        """What the session does with it; and whoever passes it on can write it down again."""
        event = delivery.event
        self.tally.garbage += isinstance(event, base.Garbage)
        self.tally.changes += len(changes_of(event, 7, AT))
        assert type(event) in EVENTS._by_class
        with suppress(WireError):  # one that the wire let in may still be too long for it with what is escaped
            event_to_wire(event)

    def _answer(self, gateway: GatewayEnd, heard: Any) -> None:
        match heard:
            case Asked(id_, command):
                gateway.answer(id_, RESULTS.get(type(command), commands.Done()))
            case Misunderstood(id_, kind, detail):
                gateway.refuse(id_, kind, detail)
