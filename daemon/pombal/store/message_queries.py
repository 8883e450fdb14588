"""Reading messages: one, a page by filters, a page by search, the queue of a session."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pombal.model.message import Direction, MessageRow
from pombal.store.gathering import expected_messages
from pombal.store.message_ways import Condition, MessageFilter, Way, bounds, by_text, conditions, ways, within_bounds
from pombal.store.rows import MESSAGE_COLUMNS, json_row, message_row, packed, unpacked
from pombal.store.search_terms import WORDS_NAMED_LATER, SearchTerms, search_terms
from pombal.store.text_matching import matching

FIRST_LOOK, LOOKS_GROW_BY = 1000, 4  # steps on each way before the next has its turn
FIRST_TEXTS = 250  # the same where texts are looked into, which takes some 8 µs each
LEAST_STEPS = 50
GATHERED_A_STEP = 24  # twice what the full-text index gathers while one text is looked into: after it come more texts


def list_messages(connection: sqlite3.Connection, wanted: MessageFilter) -> list[MessageRow]:
    """Newest first by id (oldest first when ascending), at most wanted.limit."""
    bounded = within_bounds(connection, wanted)
    if bounded is None or wanted.session_keys == ():
        return []
    terms = None if wanted.search is None else search_terms(wanted.search, connection)
    looks = [_Look(connection, way, bounded, terms) for way in ways(connection, bounded, terms)]
    sql = f"""
        SELECT json_group_array({json_row(MESSAGE_COLUMNS, "m")})
        FROM json_each(?) AS page CROSS JOIN messages AS m ON m.id = page.value
    """
    return [message_row(values) for values in unpacked(connection, sql, [packed(_first_found(looks))])]


def _first_found(looks: Sequence["_Look"]) -> list[int]:
    """The ids of the page, by whichever way they are found first."""
    for look in looks:
        if look.decides_all or len(looks) == 1:
            return look.whole()
    steps = FIRST_TEXTS if any(look.verifies for look in looks) else FIRST_LOOK
    while True:
        is_in_vain = not any(look.found for look in looks)
        for look in looks:
            if look.is_due(steps, is_in_vain) and (found := look.on(steps, is_in_vain)) is not None:
                return found
        steps *= LOOKS_GROW_BY


@dataclass(slots=True)
class _Look:
    """How far one way has been gone, and what was found on it."""

    connection: sqlite3.Connection
    way: Way
    wanted: MessageFilter
    terms: SearchTerms | None
    found: list[int] = field(default_factory=list)
    gathers: int | None = None
    is_named_further: bool = False

    @property
    def others(self) -> list[Condition]:
        """What the way does not decide."""
        return [each for each in conditions(self.wanted) if each[0] not in self.way.decides]

    @property
    def verifies(self) -> bool:
        return self.terms is not None and "search" not in self.way.decides

    @property
    def decides_all(self) -> bool:
        return not self.others and not self.verifies and not self.way.begins_at

    def is_due(self, steps: int, is_in_vain: bool) -> bool:
        """Whether it is this way's turn. One that gathers comes late, or when that takes no longer than these steps.

        is_in_vain: nothing was found so far, on no way; then these steps and the next ones may find nothing either.
        """
        if steps >= self.way.begins_at:
            return True
        if _expected(steps, is_in_vain) <= LOOKS_GROW_BY * FIRST_TEXTS:
            return False
        return self._is_soon_gathered(_expected(steps, is_in_vain)) or self._is_named_after_all()

    def _is_named_after_all(self) -> bool:
        """Whether the prefixes stand for so few words that they can be written out: then nothing is gathered.

        With other filters it would be gone in parts, and each begins with the lists of all those words anew.
        """
        if self.terms is None or self.is_named_further or self.others:
            return False
        self.is_named_further = True
        terms = search_terms(self.wanted.search or "", self.connection, WORDS_NAMED_LATER, self.terms)
        if terms.gathered:
            return False
        self.terms, self.way = terms, by_text(terms)
        return True

    def _is_soon_gathered(self, steps: int) -> bool:
        if self.terms is None:
            return False
        if self.gathers is None:
            self.gathers = expected_messages(self.connection, self.terms)
        return self.gathers <= GATHERED_A_STEP * steps

    def whole(self) -> list[int]:
        return self._page(self.wanted)

    def on(self, steps: int, is_in_vain: bool) -> list[int] | None:
        """Go so many steps; the ids, where the page is full or the way at its end."""
        is_whole = self.decides_all or self._is_quickest_whole(_expected(steps, is_in_vain))
        edge = None if is_whole else self._edge(steps)
        part = replace(self.wanted, limit=self.wanted.limit - len(self.found))
        if edge is not None:
            part = replace(part, last_id=edge) if part.ascending else replace(part, first_id=edge)
        self.found += self._page(part)
        if edge is None or len(self.found) >= self.wanted.limit:
            return self.found
        self.wanted = replace(self.wanted, past_id=edge)
        return None

    def _is_quickest_whole(self, steps: int) -> bool:
        """A way that gathers has most of its cost in the beginning, each time anew."""
        return self.way.begins_at > 0 and (not self.others or self._is_soon_gathered(steps))

    def _edge(self, steps: int) -> int | None:
        """The id up to which the way is gone with so many steps; None: to its end."""
        sql, parameters = edge_statement(self.way, self.wanted, max(LEAST_STEPS, steps // max(1, len(self.way.arms))))
        (edge,) = self.connection.execute(sql, parameters).fetchone()
        return None if edge is None else int(edge)

    def _page(self, part: MessageFilter) -> list[int]:
        verified = self.terms if self.verifies else None
        asked = part if verified is None else replace(part, limit=-1)  # SQLite's word for no limit
        arms = unpacked(self.connection, *page_statement(self.way, asked, self.others))
        ids = sorted((row_id for arm in arms for row_id in arm), reverse=not part.ascending)
        if verified is not None:
            ids = matching(self.connection, ids, verified, part.limit)
        return ids[: part.limit]


def _expected(steps: int, is_in_vain: bool) -> int:
    """How many steps it comes to on the other ways, if they go on as they have begun."""
    return LOOKS_GROW_BY * steps if is_in_vain else steps


def page_statement(way: Way, wanted: MessageFilter, others: Sequence[Condition]) -> tuple[str, list[Any]]:
    """The statement that answers with the ids of a page for each arm of a way."""
    parameters = [value for _, _, values in others for value in values]
    within, limits = bounds(wanted, way)
    where = "".join(f" AND {sql}" for _, sql, _ in others) + within
    page = f"SELECT m.id FROM {way.source}{way.rows} WHERE {way.condition}{where} {_order(way, wanted)} LIMIT ?"
    arm = f"SELECT json_group_array(id) FROM ({page})"
    return (
        f"SELECT json_group_array(json(({arm}))) FROM json_each(?) AS arm",
        [*parameters, *limits, wanted.limit, packed(way.arms)],
    )


def edge_statement(way: Way, wanted: MessageFilter, steps: int) -> tuple[str, list[Any]]:
    """The statement that answers with the id up to which a way is gone with so many steps an arm; null: to its end."""
    within, limits = bounds(wanted, way)
    arm = f"SELECT {way.place} FROM {way.source} WHERE {way.condition}{within} {_order(way, wanted)} LIMIT 1 OFFSET ?"
    nearest = "min" if wanted.ascending else "max"
    return f"SELECT {nearest}(({arm})) FROM json_each(?) AS arm", [*limits, steps - 1, packed(way.arms)]


def _order(way: Way, wanted: MessageFilter) -> str:
    direction = "ASC" if wanted.ascending else "DESC"
    return "ORDER BY " + ", ".join(f"{column} {direction}" for column in way.order)


def count_messages(connection: sqlite3.Connection, wanted: MessageFilter) -> int:
    bounded = None if wanted.session_keys == () else within_bounds(connection, wanted)
    if bounded is None:
        return 0
    terms = None if wanted.search is None else search_terms(wanted.search, connection)
    look = _Look(connection, ways(connection, bounded, terms)[0], bounded, terms)
    within, limits = bounds(bounded, look.way)
    where = "".join(f" AND {sql}" for _, sql, _ in look.others) + within
    parameters = [value for _, _, values in look.others for value in values]
    arm = f"SELECT count(*) FROM {look.way.source}{look.way.rows} WHERE {look.way.condition}{where}"
    sql = f"SELECT total(({arm})) FROM json_each(?) AS arm"
    (count,) = connection.execute(sql, [*parameters, *limits, packed(look.way.arms)]).fetchone()
    return int(count)


def message_by_row(connection: sqlite3.Connection, row_id: int) -> MessageRow | None:
    return _one(connection, "m.id = ?", row_id)


def message_by_id(connection: sqlite3.Connection, session_key: int, message_id: str) -> MessageRow | None:
    """By its message_id; where an outbound and an inbound message share it, the outbound one."""
    for direction in (Direction.OUTBOUND, Direction.INBOUND):
        condition = "m.session_key = ? AND m.message_id = ? AND m.direction = ?"
        if (row := _one(connection, condition, session_key, message_id, direction)) is not None:
            return row
    return None


def _one(connection: sqlite3.Connection, condition: str, *parameters: Any) -> MessageRow | None:
    sql = f"SELECT json_group_array({json_row(MESSAGE_COLUMNS, 'm')}) FROM messages AS m WHERE {condition}"
    rows = unpacked(connection, sql, parameters)
    return message_row(rows[0]) if rows else None


def queued_messages(connection: sqlite3.Connection, session_key: int, past_id: int, limit: int) -> list[MessageRow]:
    """A session's queue in commit order, from behind past_id."""
    sql = f"""
        SELECT json_group_array({json_row(MESSAGE_COLUMNS, "m")}) FROM (
            SELECT id FROM messages INDEXED BY messages_queued
            WHERE session_key = ? AND status = 'queued' AND id > ? ORDER BY id LIMIT ?
        ) AS page CROSS JOIN messages AS m ON m.id = page.id
    """
    return [message_row(values) for values in unpacked(connection, sql, [session_key, past_id, limit])]


def queue_depths(connection: sqlite3.Connection) -> dict[int, int]:
    """How many messages wait, a session."""
    sql = (
        "SELECT session_key, count(*) FROM messages INDEXED BY messages_queued WHERE status = 'queued' "
        "GROUP BY session_key"
    )
    return dict(connection.execute(sql).fetchall())


def link_ids_of(connection: sqlite3.Connection, session_key: int, message_id: str) -> str | None:
    """WhatsApp's own id of a message of ours, for a quote or a reaction."""
    row = message_by_id(connection, session_key, message_id)
    return None if row is None else row.link_id


def oldest_queued_at(connection: sqlite3.Connection) -> int | None:
    """When the message was queued that has waited longest (epoch ms)."""
    (oldest,) = connection.execute("SELECT min(queued_at) FROM messages WHERE status = 'queued'").fetchone()
    return None if oldest is None else int(oldest)
