"""How many messages the full-text index would have to gather for a search, by a few that are looked into.

They are taken from all over the store: the newest speak of other things than those of last year.
"""

import sqlite3

from pombal.store.search_terms import SearchTerms
from pombal.store.text_matching import begins_in, plain, texts_of

SAMPLED = 200  # some 10 µs each
_GOLDEN = 0.6180339887498949  # its multiples fall evenly between 0 and 1, and in step with nothing


def expected_messages(connection: sqlite3.Connection, terms: SearchTerms) -> int:
    """Rather too many than too few: all that there may be, where only the index knows how it keeps a word."""
    first, last = connection.execute("SELECT (SELECT min(id) FROM messages), (SELECT max(id) FROM messages)").fetchone()
    if first is None:
        return 0
    there_are = int(last - first + 1)
    if None in terms.gathered:
        return there_are
    ids = sorted({first + int(number * _GOLDEN % 1 * there_are) for number in range(SAMPLED)})
    texts = plain(texts_of(connection, ids))
    # One more than were seen: a prefix that none of them has may be in the next.
    shares = [(1 + sum(begins_in(word, text) for text in texts)) / len(ids) for word in terms.gathered if word]
    return sum(min(there_are, int(there_are * share)) for share in shares)
