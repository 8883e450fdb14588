"""What is searched for, as FTS5's expression: prefixes of words, all of them, and nothing of a user's text as syntax.

A prefix makes FTS5 gather every message of every word that begins so before it tells the first; with words named one
by one it tells the newest at once. So a prefix that few words of the index have is written out as those words.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from pombal.store.rows import unpacked

# Of one search in all. Each is looked up by itself and has its own list of messages in the index: with five million
# messages that is 30 µs and 25 µs a word.
WORDS_NAMED = 100
WORDS_NAMED_LATER = 600  # where the newest texts were not enough
_WORDS = re.compile(r"[^\s\"]+")
_FIRST_OF_WORDS = "0"  # no character of a word comes before it
# From each word a step to the next: in one statement, because a statement a word would have to wait for the interpreter
# lock each time (rows.py).
_NAMED = """
    WITH RECURSIVE named (term) AS (
        SELECT (SELECT term FROM messages_vocabulary WHERE term >= ?1 AND term < ?2 LIMIT 1)
        UNION ALL SELECT (SELECT term FROM messages_vocabulary WHERE term >= named.term || '0' AND term < ?2 LIMIT 1)
        FROM named WHERE named.term IS NOT NULL LIMIT ?3
    ) SELECT json_group_array(term) FROM named WHERE term IS NOT NULL
"""
_LATIN_END = "\u024f"


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """gathered: prefixes of too many words to name, each as the index keeps it, or None where only the index knows how.

    The full-text index tells nothing until it has all messages of these.
    """

    expression: str
    gathered: tuple[str | None, ...]
    tokens: tuple[str, ...]  # those of its words that are plain Latin, as the index keeps them
    begun: Mapping[str, list[str]] = field(default_factory=dict)  # of a prefix of too many words: those named so far


def match_expression(search: str, connection: sqlite3.Connection | None = None) -> str:
    """Each word quoted. connection: to write prefixes out as the words there are."""
    return search_terms(search, connection).expression


def search_terms(
    search: str,
    connection: sqlite3.Connection | None = None,
    most: int | None = None,
    before: SearchTerms | None = None,
) -> SearchTerms:
    """The same, and how it will be answered. most: how many words may be written out; None: WORDS_NAMED.

    before: of the same search, with fewer words; what it has named is not looked up again.
    """
    words = [word for word in _WORDS.findall(search.replace("\0", " ")) if any(char.isalnum() for char in word)]
    parts, gathered, begun = list[str](), list[str | None](), dict[str, list[str]]()
    left = WORDS_NAMED if most is None else most
    for word in words:
        token = _as_indexed(word)
        named = None
        if connection is not None and token is not None:
            named = _named(connection, token, left, before.begun.get(token, []) if before else [])
            if not named:  # then no message has all of the words
                return SearchTerms('""', (), ())
            if len(named) > left:
                begun[token], named = named, None
        if named is None:
            gathered.append(token)
        left -= min(left, left if named is None else len(named))
        parts.append("(" + " OR ".join(f'"{each}"' for each in named) + ")" if named else f'"{word}"*')
    tokens = tuple(token for word in words if (token := _as_indexed(word)) is not None)
    return SearchTerms(" AND ".join(parts) or '""', tuple(gathered), tokens, begun)


def _as_indexed(word: str) -> str | None:
    """The word as the tokenizer (unicode61 remove_diacritics 2) keeps it, where that is beyond doubt: plain Latin."""
    if max(word) > _LATIN_END:
        return None
    bare = "".join(char for char in unicodedata.normalize("NFD", word) if not unicodedata.combining(char)).lower()
    return bare if bare.isascii() and bare.isalnum() else None


def _named(connection: sqlite3.Connection, token: str, most: int, begun: list[str]) -> list[str]:
    """The words of the index that begin so, at most one more than that. begun: the first of them, known already."""
    if len(begun) > most:
        return begun
    after = begun[-1] + _FIRST_OF_WORDS if begun else token
    found = unpacked(connection, _NAMED, [after, token + "\U0010ffff", most + 1 - len(begun)])
    return begun + [str(word) for word in found]
