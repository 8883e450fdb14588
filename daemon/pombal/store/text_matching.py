"""Whether these few messages are found by a search: where the full-text index would gather all that there are.

They are put into a small full-text index in memory, made as the large one is, so that both find the same.
"""

import re
import sqlite3
import unicodedata
from contextlib import closing
from typing import Any

from pombal.store.rows import packed, unpacked
from pombal.store.search_terms import SearchTerms

TEXTS_AT_FIRST, TEXTS_AT_ONCE = 64, 2048
_BETWEEN, _UNKNOWN = "\0", "\1"  # a NUL stands in no text that is kept
_OTHER_LETTERS = re.compile(r"[^\W\x00-\x7f]")
_SCRATCH = """
    CREATE VIRTUAL TABLE scratch USING fts5 (
        text_content, contact_number, contact_name, content = '', tokenize = "unicode61 remove_diacritics 2"
    )
"""
_COLUMNS = ("m.text_content", "m.contact_number", "m.contact_name")
_TEXTS = f"""
    SELECT json_group_array(json_array(m.id, {", ".join(_COLUMNS)}))
    FROM json_each(?) AS wanted CROSS JOIN messages AS m ON m.id = wanted.value
"""
_READ = """
    INSERT INTO scratch (rowid, text_content, contact_number, contact_name)
    SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?)
"""


def matching(connection: sqlite3.Connection, ids: list[int], terms: SearchTerms, limit: int) -> list[int]:
    """Of these messages the first, limit or a few more, that are found.

    By a small index of their own, made as the large one. That takes 20 µs a text; so those that cannot be found are
    left out before, those of ASCII alone in SQLite.
    """
    candidates_sql = f"{_TEXTS} WHERE {_may_match_in_sql(terms.tokens)}"
    found, at, count = list[int](), 0, TEXTS_AT_FIRST
    while at < len(ids) and len(found) < limit:
        texts = unpacked(connection, candidates_sql, [packed(ids[at : at + count]), *terms.tokens])
        if candidates := [row for row, text in zip(texts, plain(texts), strict=True) if _may_match(row, text, terms)]:
            found += _matching(candidates, terms.expression)
        at, count = at + count, min(TEXTS_AT_ONCE, 4 * count)
    return found


def texts_of(connection: sqlite3.Connection, ids: list[int]) -> list[list[Any]]:
    """[id, text, number, name] of those of the messages that there are."""
    return unpacked(connection, _TEXTS, [packed(ids)])


def _may_match_in_sql(tokens: tuple[str, ...]) -> str:
    """Whether each token stands in the texts at all, or one of them is more than ASCII, in which LIKE knows no case."""
    within = [
        "(" + " OR ".join(f"{column} LIKE '%' || ?{place} || '%'" for column in _COLUMNS) + ")"
        for place in range(2, 2 + len(tokens))
    ]
    beyond_ascii = [f"length({column}) <> length(CAST({column} AS BLOB))" for column in _COLUMNS]
    return " OR ".join([" AND ".join(within) or "true", *beyond_ascii])


def _may_match(row: list[Any], text: str | None, terms: SearchTerms) -> bool:
    """Whether a word begins with each token; True also where only the index knows where words begin, or a letter."""
    if text is None:
        return True
    if not all(word in text for word in terms.tokens):
        return False
    is_exact = all(column is None or column.isascii() for column in row[1:])
    return not is_exact or all(begins_in(word, text) for word in terms.tokens)


def begins_in(word: str, text: str | None) -> bool:
    """Whether a word of text begins with word, or may."""
    if text is None:
        return True
    at = text.find(word)
    while at > 0 and text[at - 1].isalnum():
        at = text.find(word, at + 1)
    return at >= 0


def plain(rows: list[list[Any]]) -> list[str | None]:
    """Of each row all that is searched, in the index's letters; None where only the index knows how it keeps one.

    All in one go: each by itself takes three times as long.
    """
    if not rows:
        return []
    text = _BETWEEN.join(" ".join(filter(None, row[1:])) for row in rows)
    if not text.isascii():
        text = _OTHER_LETTERS.sub(_UNKNOWN, unicodedata.normalize("NFD", text)).encode("ascii", "ignore").decode()
    return [None if _UNKNOWN in each else each for each in text.lower().split(_BETWEEN)]


def _matching(texts: list[list[Any]], expression: str) -> list[int]:
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.execute(_SCRATCH)
        memory.execute(_READ, [packed(texts)])
        hits = set(unpacked(memory, "SELECT json_group_array(rowid) FROM scratch WHERE scratch MATCH ?", [expression]))
    return [row_id for row_id, *_ in texts if row_id in hits]
