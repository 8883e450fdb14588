"""Settings by their dotted keys, such as `outbox.window`: the names that people read in errors, docs and reloads."""

from collections.abc import Iterator
from typing import Any

from pombal.config.settings import Section, Settings


def by_key(settings: Settings) -> dict[str, Any]:
    """Every setting's value under its dotted key, in the file's order. A lognormal delay is one value."""
    return {key: getattr(getattr(settings, section), name) for key, section, name in _keys()}


def all_keys() -> list[str]:
    return [key for key, _, _ in _keys()]


def sections() -> dict[str, type[Section]]:
    """The tables of the file, in its order."""
    return {name: type(table) for name, table in Settings()}


def _keys() -> Iterator[tuple[str, str, str]]:
    for section, model in sections().items():
        for name in model.model_fields:
            yield f"{section}.{name}", section, name
