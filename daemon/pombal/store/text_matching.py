"""Whether these few messages are found by a search: where the full-text index would gather all that there are.

They are put into a small full-text index in memory, made as the large one is, so that both find the same.
"""

import re
import sqlite3
import unicodedata
from contextlib import closing
from itertools import islice
from typing import Any

from pombal.store.rows import packed, unpacked
from pombal.store.search_terms import SearchTerms

TEXTS_AT_FIRST = 64
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
    """Of these messages the first, at most limit, that are found: by a small index of their own, made as the large one.

    That takes 20 µs a text; so texts that cannot be found are left out before, those of ASCII alone (0.4 µs) in SQLite.
    """
    texts = unpacked(connection, f"{_TEXTS} WHERE {_may_match_in_sql(terms.tokens)}", [packed(ids), *terms.tokens])
    candidates = (row for row in texts if _may_match(row[1:], terms.tokens))
    found, count = list[int](), TEXTS_AT_FIRST
    while len(found) < limit and (some := list(islice(candidates, count))):
        found += _matching(some, terms.expression)
        count *= 4
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


def _may_match(columns: list[str | None], tokens: tuple[str, ...]) -> bool:
    """Whether a word begins with each token; True also where only the index knows where words begin, or a letter."""
    text = plain(columns)
    if text is None:
        return True
    if all(each is None or each.isascii() for each in columns):
        return all(begins_in(word, text) for word in tokens)
    return all(word in text for word in tokens)


def begins_in(word: str, text: str | None) -> bool:
    """Whether a word of text begins with word, or may."""
    if text is None:
        return True
    at = text.find(word)
    while at > 0 and text[at - 1].isalnum():
        at = text.find(word, at + 1)
    return at >= 0


def plain(texts: list[str | None]) -> str | None:
    """All of a message that is searched, in the index's letters; None where only the index knows how it keeps one."""
    text = " ".join(filter(None, texts))
    if not text.isascii():
        text = unicodedata.normalize("NFD", text)
        if _OTHER_LETTERS.search(text):
            return None
        text = text.encode("ascii", "ignore").decode()
    return text.lower()


def _matching(texts: list[list[Any]], expression: str) -> list[int]:
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.execute(_SCRATCH)
        memory.execute(_READ, [packed(texts)])
        hits = set(unpacked(memory, "SELECT json_group_array(rowid) FROM scratch WHERE scratch MATCH ?", [expression]))
    return [row_id for row_id, *_ in texts if row_id in hits]
