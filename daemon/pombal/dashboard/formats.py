"""Numbers, durations and times as people of a language write them."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pombal.dashboard.words import Words
from pombal.model.times import iso

NOTHING = "–"
_POINT = {"en": ".", "pt-BR": ","}
_GROUP = {"en": ",", "pt-BR": "."}
_UNITS_S = (("d", 86_400), ("h", 3600), ("min", 60))
_BYTES = ("kB", "MB", "GB", "TB")
ZONE_MAX_CHARACTERS = 64


def zone_of(name: str | None) -> tzinfo:
    """The time zone by its name in the IANA database; UTC for none, or one that this system does not know."""
    if not name or len(name) > ZONE_MAX_CHARACTERS or not name.isascii() or ".." in name or name.startswith("/"):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


@dataclass(frozen=True, slots=True)
class Formats:
    """For one visitor; now_ms is the moment that ages are counted from."""

    words: Words
    zone: tzinfo
    now_ms: int

    def number(self, value: float | None, decimals: int = 0) -> str:
        """12345.6 → '12,346' or '12.346'."""
        if value is None:
            return NOTHING
        text = f"{value:,.{decimals}f}"
        language = self.words.language
        return text.translate({ord(","): _GROUP[language], ord("."): _POINT[language]})

    def rate(self, value: float) -> str:
        """0 → '0', 0.02 → '<0.1', 3.14 → '3.1', 314.2 → '314': a trickle is not nothing."""
        if value == 0:
            return "0"
        return f"<{self.number(0.1, 1)}" if value < 0.1 else self.number(value, 1 if value < 100 else 0)

    def percent(self, rate: float | None) -> str:
        """0.99912 → '99.9 %': never 100 where it is not all, never 0 where it is not none."""
        if rate is None:
            return NOTHING
        shown = min(max(round(rate * 100, 1), 0.1 if rate else 0), 99.9 if rate < 1 else 100)
        return f"{self.number(shown, 0 if shown == int(shown) else 1)}\u202f%"

    def milliseconds(self, value_ms: float | None) -> str:
        """0.04 → '<0.1 ms', 1.26 → '1.3 ms', 340 → '340 ms', 12345 → '12.3 s', 90000 → '1 min 30 s'."""
        if value_ms is None:
            return NOTHING
        if 0 < value_ms < 9.95 and (value_ms < 0.05 or round(value_ms, 1) % 1):
            return f"{self.rate(value_ms)}\u202fms"
        if value_ms < 1000:
            return f"{self.number(value_ms)}\u202fms"
        if value_ms < 60_000:
            decimals = 0 if value_ms % 1000 == 0 else 2 if value_ms < 10_000 else 1
            return f"{self.number(value_ms / 1000, decimals)}\u202fs"
        return self.duration(value_ms / 1000)

    def duration(self, seconds: float | None) -> str:
        """The two largest units that matter: '45 s', '3 min 20 s', '2 h 5 min', '4 d 3 h'."""
        if seconds is None:
            return NOTHING
        rest, parts = int(seconds), list[str]()
        for unit, length_s in _UNITS_S:
            if rest >= length_s or parts:
                parts.append(f"{rest // length_s}\u202f{unit}")
                rest %= length_s
            if len(parts) == 2:
                break
        if len(parts) < 2:
            parts.append(f"{rest}\u202fs")
        return " ".join(part for place, part in enumerate(parts) if place == 0 or not part.startswith("0"))

    def bytes(self, size: int | None) -> str:
        if size is None:
            return NOTHING
        if size < 1000:
            return f"{size}\u202fB"
        value = float(size)
        for unit in _BYTES:
            value /= 1000
            if value < 1000 or unit == _BYTES[-1]:
                break
        return f"{self.number(value, 1 if value < 100 else 0)}\u202f{unit}"

    def age(self, at_ms: int | None) -> str:
        """How long ago: 'now', '3 min ago'. The largest unit alone, which is what an age is looked at for."""
        if at_ms is None:
            return NOTHING
        seconds = (self.now_ms - at_ms) / 1000
        if seconds < 2:
            return self.words("time.now")
        return self.words("time.ago", duration=self.duration(seconds).split(" ")[0])

    def clock(self, at_ms: int | None) -> str:
        """'14:05:09'"""
        return NOTHING if at_ms is None else f"{self._at(at_ms):%H:%M:%S}"

    def clock_ms(self, at_ms: int | None) -> str:
        """'14:05:09.123'"""
        return (
            NOTHING if at_ms is None else f"{self._at(at_ms):%H:%M:%S}{_POINT[self.words.language]}{at_ms % 1000:03d}"
        )

    def day(self, at_ms: int) -> str:
        """'Today', '28 November', '28 November 2025'."""
        then, now = self._at(at_ms), self._at(self.now_ms)
        days = (now.date() - then.date()).days
        if days in (0, 1):
            return self.words("time.today" if days == 0 else "time.yesterday")
        month = self.words(f"month.{then.month}")
        key = "time.day" if then.year == now.year else "time.day_year"
        return self.words(key, day=then.day, month=month, year=then.year)

    def moment(self, at_ms: int | None) -> str:
        """'14:05:09' today, else '28 November, 14:05'."""
        if at_ms is None:
            return NOTHING
        if self._at(at_ms).date() == self._at(self.now_ms).date():
            return self.clock(at_ms)
        return f"{self.day(at_ms)}, {self._at(at_ms):%H:%M}"

    def short(self, at_ms: int) -> str:
        """As in a list of chats: '14:05' today, else '28/11' or '28 Nov'."""
        then, now = self._at(at_ms), self._at(self.now_ms)
        if then.date() == now.date():
            return f"{then:%H:%M}"
        return self._short_day(then)

    def axis(self, at_ms: int) -> str:
        """'14:05', or '28 Nov' where a day begins: for the axis of a chart."""
        then = self._at(at_ms)
        return self._short_day(then) if (then.hour, then.minute) == (0, 0) else f"{then:%H:%M}"

    def _short_day(self, then: datetime) -> str:
        month = self.words(f"month.{then.month}")[:3]
        return self.words("time.short_day", day=then.day, month=month, number=then.month)

    def stamp(self, at_ms: int | None, how: str = "moment") -> Markup:
        """A time element: shown as ``how`` says, whole (and with its zone) where somebody asks for it."""
        if at_ms is None:
            return Markup(NOTHING)  # noqa: S704  # a constant
        whole = f"{self._at(at_ms):%Y-%m-%d %H:%M:%S %Z}"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(iso(at_ms), whole, getattr(self, how)(at_ms))

    def _at(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, self.zone)
