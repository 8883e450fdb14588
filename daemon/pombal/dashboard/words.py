"""What pages say, in each language: `words/<language>.toml`, the same keys in all of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import tomli

DEFAULT = "en"
LANGUAGES: Mapping[str, str] = {"en": "English", "pt-BR": "Português (Brasil)"}


@dataclass(frozen=True, slots=True)
class Words:
    """One language. ``texts``: by dotted key."""

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: Any) -> str:
        """The text of a key, with {values} put in. With ``count`` 1 it is that of `key_one`, where there is one."""
        if values.get("count") == 1 and f"{key}_one" in self.texts:
            key = f"{key}_one"
        text = self.texts[key]
        return text.format(**values) if values else text

    def has(self, key: str) -> bool:
        return key in self.texts


@cache
def words_of(language: str) -> Words:
    """The words of one of LANGUAGES. Raises KeyError for any other."""
    LANGUAGES[language]
    text = (files("pombal.dashboard") / "words" / f"{language}.toml").read_text("utf-8")
    return Words(language, dict(_flat("", tomli.loads(text))))


def _flat(prefix: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def choose(asked: str | None, accepted: str | None) -> str:
    """The language that a person has chosen, else the one that their browser likes best and we have.

    accepted: an `Accept-Language` header, such as 'pt-BR,pt;q=0.9,en;q=0.5'.
    """
    if asked is not None and asked in LANGUAGES:
        return asked
    for tag in _by_preference(accepted or ""):
        primary = tag.partition("-")[0].lower()
        if found := next((name for name in LANGUAGES if name.partition("-")[0] == primary), None):
            return found
    return DEFAULT


def _by_preference(header: str) -> list[str]:
    """The tags of an Accept-Language header (RFC 9110, 12.5.4), the best liked first."""
    weighed = []
    for place, part in enumerate(header[:1000].split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        if tag and weight > 0:
            weighed.append((-weight, place, tag))
    return [tag for _, _, tag in sorted(weighed)]
