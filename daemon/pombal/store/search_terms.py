"""What is searched for, as FTS5's expression: prefixes of words, all of them, and nothing of a user's text as syntax.

A prefix makes FTS5 gather every message of every word that begins so before it tells the first; with words named one
by one it tells the newest at once. So a prefix that few words of the index have is written out as those words.
"""

import re
import sqlite3
import unicodedata

WORDS_NAMED = 100  # of one search in all; looked up one by one, some 30 µs each
_WORDS = re.compile(r"[^\s\"]+")
_NEXT = "SELECT term FROM messages_vocabulary WHERE term >= ? AND term < ? LIMIT 1"
_LATIN_END = "\u024f"


def match_expression(search: str, connection: sqlite3.Connection | None = None) -> str:
    """Each word quoted. connection: to write prefixes out as the words there are."""
    words = [word for word in _WORDS.findall(search.replace("\0", " ")) if any(char.isalnum() for char in word)]
    parts, left = list[str](), WORDS_NAMED
    for word in words:
        token = _as_indexed(word)
        named = None if connection is None or token is None else _named(connection, token, left)
        left -= min(left, left if named is None else len(named))
        parts.append("(" + " OR ".join(f'"{each}"' for each in named) + ")" if named else f'"{word}"*')
    return " AND ".join(parts) or '""'


def _as_indexed(word: str) -> str | None:
    """The word as the tokenizer (unicode61 remove_diacritics 2) keeps it, where that is beyond doubt: plain Latin."""
    if max(word) > _LATIN_END:
        return None
    bare = "".join(char for char in unicodedata.normalize("NFD", word) if not unicodedata.combining(char)).lower()
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
