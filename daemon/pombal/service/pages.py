"""Pages by cursor: one row more than asked for tells whether there is a next page."""

from collections.abc import Callable
from typing import TypeVar

from pombal.model.errors import PombalError, invalid

T = TypeVar("T")


def cursor_number(cursor: str | None) -> int | None:
    """The id that a cursor stands for. Raises PombalError (invalid) for one that we did not make."""
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise bad_cursor()
    return int(cursor)


def split(rows: list[T], limit: int, place: Callable[[T], object]) -> tuple[list[T], str | None]:
    """(the page, the cursor of the next one or None) of limit + 1 rows."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], str(place(rows[limit - 1]))


def bad_cursor() -> PombalError:
    reason = "not one of ours; pass `next` of the page before as it is"
    return invalid(f"cursor: {reason}", errors=[{"field": "cursor", "reason": reason}])
