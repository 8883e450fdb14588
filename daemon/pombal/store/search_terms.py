"""What is searched for, as FTS5's expression: prefixes of words, all of them, and nothing of a user's text as syntax.

A prefix makes FTS5 gather every message of every word that begins so before it tells the first; with words named one
by one it tells the newest at once. So a prefix that few words of the index have is written out as those words.
"""

import re
import sqlite3
import unicodedata
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from pombal.store.rows import packed, unpacked

TEXTS_AT_ONCE = 64
WORDS_NAMED = 100  # of one search in all; looked up one by one, some 30 µs each
_WORDS = re.compile(r"[^\s\"]+")
_NEXT = "SELECT term FROM messages_vocabulary WHERE term >= ? AND term < ? LIMIT 1"
_LATIN_END = "\u024f"


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """are_gathered: a prefix of many words is among them, and the full-text index tells nothing until it has all."""

    expression: str
    are_gathered: bool
    tokens: tuple[str, ...]  # those of its words that are plain Latin, as the index keeps them


def match_expression(search: str, connection: sqlite3.Connection | None = None) -> str:
    """Each word quoted. connection: to write prefixes out as the words there are."""
    return search_terms(search, connection).expression


def search_terms(search: str, connection: sqlite3.Connection | None = None) -> SearchTerms:
    """The same, and how it will be answered."""
    words = [word for word in _WORDS.findall(search.replace("\0", " ")) if any(char.isalnum() for char in word)]
    parts, left, are_gathered = list[str](), WORDS_NAMED, False
    for word in words:
        token = _as_indexed(word)
        named = None if connection is None or token is None else _named(connection, token, left)
        are_gathered |= named is None
        left -= min(left, left if named is None else len(named))
        parts.append("(" + " OR ".join(f'"{each}"' for each in named) + ")" if named else f'"{word}"*')
    tokens = tuple(token for word in words if (token := _as_indexed(word)) is not None)
    return SearchTerms(" AND ".join(parts) or '""', are_gathered, tokens)


_SCRATCH = """
    CREATE VIRTUAL TABLE scratch USING fts5 (
        text_content, contact_number, contact_name, content = '', tokenize = "unicode61 remove_diacritics 2"
    )
"""
_TEXTS = """
    SELECT json_group_array(json_array(m.id, m.text_content, m.contact_number, m.contact_name))
    FROM json_each(?) AS wanted CROSS JOIN messages AS m ON m.id = wanted.value
"""
_READ = """
    INSERT INTO scratch (rowid, text_content, contact_number, contact_name)
    SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?)
"""


def matching(connection: sqlite3.Connection, ids: list[int], terms: SearchTerms, limit: int) -> list[int]:
    """Of these messages the first, at most limit, that are found: by a small index of their own, made as the large one.

    That takes 20 µs a text; so texts that cannot be found are left out before.
    """
    texts = [row for row in unpacked(connection, _TEXTS, [packed(ids)]) if _may_match(row[1:], terms.tokens)]
    found: list[int] = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        if len(found) < limit:
            found += _matching(texts[start : start + TEXTS_AT_ONCE], terms.expression)
    return found


def _may_match(texts: list[str | None], tokens: tuple[str, ...]) -> bool:
    text = _folded(" ".join(filter(None, texts)))
    return not text.isascii() or all(token in text for token in tokens)


def _matching(texts: list[list[Any]], expression: str) -> list[int]:
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.execute(_SCRATCH)
        memory.execute(_READ, [packed(texts)])
        hits = set(unpacked(memory, "SELECT json_group_array(rowid) FROM scratch WHERE scratch MATCH ?", [expression]))
    return [row_id for row_id, *_ in texts if row_id in hits]


def _folded(text: str) -> str:
    """Without case, and without what stands above and below letters."""
    if text.isascii():
        return text.lower()
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char)).lower()


def _as_indexed(word: str) -> str | None:
    """The word as the tokenizer (unicode61 remove_diacritics 2) keeps it, where that is beyond doubt: plain Latin."""
    if max(word) > _LATIN_END:
        return None
    bare = _folded(word)
    return bare if bare.isascii() and bare.isalnum() else None


def _named(connection: sqlite3.Connection, token: str, most: int) -> list[str] | None:
    """The words of the index that begin so; None where they are more than that."""
    found: list[str] = []
    at, end = token, token + "\U0010ffff"
    while (row := connection.execute(_NEXT, [at, end]).fetchone()) is not None:
        if len(found) >= most:
            return None
        found.append(row[0])
        at = f"{row[0]}0"  # the next one, as no character of a word comes before "0"
    return found
