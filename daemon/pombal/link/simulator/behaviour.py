"""How a simulated account behaves, as pure functions of its settings and its own dice."""

import base64
import hashlib
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TypeVar

from pombal.config.settings import Delay, Lognormal, SimulatorProfile
from pombal.model.message import MessageStatus

T = TypeVar("T")

LONGEST_DELAY_MS = 86_400_000.0
_NORMAL = NormalDist()
_Z99 = _NORMAL.inv_cdf(0.99)
_MASK = (1 << 64) - 1
# WhatsApp's alphabet for pairing codes: base32 without the letters and digits that people mix up.
_PAIRING_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"

Step = tuple[float, MessageStatus]


class Dice:
    """SplitMix64 (Steele, Lea and Flood, 2014): one integer of state, where a random.Random keeps 2.5 KB of it."""

    __slots__ = ("_state",)

    def __init__(self, *seed: object) -> None:
        text = "\x1f".join(map(str, seed))
        self._state = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")

    def bits(self) -> int:
        """64 random bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def share(self) -> float:
        """Between 0 and 1, without either."""
        return ((self.bits() >> 11) + 0.5) * 2.0**-53

    def below(self, bound: int) -> int:
        return int(self.share() * bound)

    def chance(self, rate: float) -> bool:
        """Not thrown where nothing is left to chance, as with most rates."""
        return rate >= 1 or (rate > 0 and self.share() < rate)

    def choice(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def key(self) -> str:
        """32 random bytes as base64."""
        return base64.b64encode(b"".join(self.bits().to_bytes(8, "big") for _ in range(4))).decode()


def draw_ms(delay: Delay, dice: Dice) -> float:
    """A delay as it is set: always the same, or lognormal by its median and 99th percentile."""
    if not isinstance(delay, Lognormal):
        return delay
    sigma = math.log(delay.p99 / delay.median) / _Z99
    return min(LONGEST_DELAY_MS, delay.median * math.exp(sigma * _NORMAL.inv_cdf(dice.share())))


def gap_s(rate: float, dice: Dice) -> float:
    """Until the next arrival of a Poisson process with rate arrivals a second."""
    return -math.log(dice.share()) / rate


def plan_sent(profile: SimulatorProfile, dice: Dice) -> list[Step]:
    """What becomes of a message that the network took: (ms from now, status) in the order in which it is told."""
    sent_ms = draw_ms(profile.sent_ms, dice)
    steps = [(sent_ms, MessageStatus.SENT), *plan_receipts(profile, dice, sent_ms)]
    return _told(steps, profile, dice)


def plan_kept_receipts(profile: SimulatorProfile, dice: Dice) -> list[Step]:
    """The receipts alone, for a message whose receipts were never acknowledged to the network."""
    return _told(plan_receipts(profile, dice, 0.0), profile, dice)


def plan_receipts(profile: SimulatorProfile, dice: Dice, sent_ms: float) -> list[Step]:
    delivered_ms = sent_ms + draw_ms(profile.delivered_ms, dice)
    receipts = [(delivered_ms, MessageStatus.DELIVERED)]
    if dice.chance(profile.read_rate):
        receipts.append((delivered_ms + draw_ms(profile.read_ms, dice), MessageStatus.READ))
    return receipts


def _told(steps: list[Step], profile: SimulatorProfile, dice: Dice) -> list[Step]:
    """Receipts that overtake the step before them, and receipts that come twice."""
    if not (profile.reorder_rate or profile.duplicate_rate):
        return steps
    statuses = [status for _, status in steps]
    for index in range(1, len(steps)):
        if dice.chance(profile.reorder_rate):
            statuses[index - 1], statuses[index] = statuses[index], statuses[index - 1]
    told = []
    for (after_ms, _), status in zip(steps, statuses, strict=True):
        told.append((after_ms, status))
        if status != MessageStatus.SENT and dice.chance(profile.duplicate_rate):
            told.append((after_ms, status))
    return told


def qr_code(dice: Dice) -> str:
    """Shaped as WhatsApp's own: a reference and three keys."""
    return f"2@{dice.key()}{dice.key()},{dice.key()},{dice.key()},{dice.key()}"


def pairing_code(dice: Dice) -> str:
    """'XXXX-XXXX', to be typed into the phone."""
    code = "".join(dice.choice(_PAIRING_ALPHABET) for _ in range(8))
    return f"{code[:4]}-{code[4:]}"


def message_id(*seed: object) -> str:
    """A message's id as WhatsApp's web clients make it: 3EB0 and 18 hexadecimal digits."""
    text = "\x1f".join(map(str, seed))
    return "3EB0" + hashlib.blake2b(text.encode(), digest_size=9).hexdigest().upper()
