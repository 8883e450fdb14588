"""Dataclasses whose fields are set once, for what a message makes many of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """Frozen, slotted and hashable; that nobody sets a field is held by the type checker alone.

    A dataclass that holds it itself takes three times as long to make: it sets each of its own fields by way of
    ``object.__setattr__``.
    """
    return dataclass(slots=True, kw_only=kw_only, unsafe_hash=True)
