"""The verdict: the ledger, the store, the network's own side and the listeners, held together.

Everything that is wrong is a sentence with ids.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pombal.store import offline
from tests.daemon.books import messages_in, rows
from tests.daemon.harness import Home
from tests.faults.ledger import Ledger
from tests.faults.listeners import Heard

SHOWN_MAX = 12
STAMPS = ("queued_at", "dispatched_at", "sent_at", "delivered_at", "read_at")
INBOUND_STAMPS = ("received_at", "delivered_at", "read_at")


@dataclass
class Books:
    """Everything there is to hold together, read once; the network's side before the store's.

    forgetful: the sessions whose link does not deduplicate. rest: the last event of the moment from which on nothing
    was on its way any more, on either side; None: all was in motion.
    """

    home: Home
    ledger: Ledger
    heard: Sequence[Heard]
    forgetful: frozenset[str]
    rest: int | None

    def __post_init__(self) -> None:
        self.arrived = rows(self.home.simulator_db, "SELECT * FROM received_sends")
        self.wrote = rows(self.home.simulator_db, "SELECT link_id, text, acknowledged FROM inbound")
        self.outbound = messages_in(self.home.database)
        self.inbound = messages_in(self.home.database, "inbound")
        self.events = rows(self.home.database, "SELECT seq, type, message FROM events ORDER BY seq")
        self.rejected = rows(self.home.database, "SELECT source, reason FROM rejected")


Check = Callable[[Books], Iterable[str]]


def problems(books: Books) -> list[str]:
    """Everything that is wrong; empty: nothing is."""
    return [problem for check in (*CHECKS, *(AT_REST if books.rest is not None else ())) for problem in check(books)]


def _listed(what: str, found: Sequence[Any]) -> Iterator[str]:
    if found:
        more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
        yield f"{len(found)} {what}: {', '.join(str(each) for each in found[:SHOWN_MAX])}{more}"


def _whole(books: Books) -> Iterator[str]:
    """Pages, sequences, counters, rollups, the index."""
    yield from offline.check_database(books.home.database, progress=lambda _: None)


def _rejected(books: Books) -> Iterator[str]:
    if not books.ledger.garbage or any(row["source"] != "link" for row in books.rejected):
        yield from _listed("rows were refused by the store", books.rejected)


def _sends_kept(books: Books) -> Iterator[str]:
    yield from lost_sends(books.ledger, books.outbound)


def lost_sends(ledger: Ledger, outbound: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Sends that were answered, and are not there as they were."""
    links = {(row["session"], row["message_id"]): row["link_id"] for row in outbound}
    sent = ledger.sent
    yield from _listed("acknowledged sends are lost", [name for name in sent if name not in links])
    changed = [name for name, link in sent.items() if links.get(name, link) != link]
    yield from _listed("acknowledged sends have another link id now", changed)


def _sends_once(books: Books) -> Iterator[str]:
    names = Counter((row["session"], row["message_id"]) for row in books.outbound)
    yield from _listed("sends are recorded twice", [name for name, count in names.items() if count > 1])
    twice = [row["link_id"] for row in books.arrived if row["times_received"] != 1]
    yield from _listed("sends reached their recipient more than once", twice)
    stored = {row["link_id"] for row in books.outbound}
    strange = [row["link_id"] for row in books.arrived if row["link_id"] not in stored]
    yield from _listed("sends reached their recipient, but are not recorded", strange)


def _injections_kept(books: Books) -> Iterator[str]:
    """By the network itself: the harness's own footing."""
    kept = Counter(row["text"] for row in books.wrote)
    yield from _listed("injections are lost by the network", [t for t in books.ledger.injected if kept[t] != 1])


def _inbound_once(books: Books) -> Iterator[str]:
    recorded = Counter(row["link_id"] for row in books.inbound)
    yield from _listed("inbound messages are recorded twice", [link for link, count in recorded.items() if count > 1])
    lost = [row["link_id"] for row in books.wrote if row["acknowledged"] and not recorded[row["link_id"]]]
    yield from _listed("inbound messages were acknowledged to the link and are lost", lost)


def _stamps(books: Books) -> Iterator[str]:
    for stored, names in ((books.outbound, STAMPS), (books.inbound, INBOUND_STAMPS)):
        wrong = [row["id"] for row in stored if not _in_order([row[name] for name in names])]
        yield from _listed("messages have stamps that precede the one before", wrong)


def _in_order(stamps: Sequence[int | None]) -> bool:
    known = [stamp for stamp in stamps if stamp is not None]
    return known == sorted(known)


def _streams(books: Books) -> Iterator[str]:
    """What was heard is what is on disk, event by event, from the first on."""
    told = [(row["type"], row["message"]) for row in books.events]
    for heard in books.heard:
        yield from heard.problems
        seen = heard.events[: len(told)]
        differ = [place + 1 for place, (one, other) in enumerate(zip(seen, told, strict=False)) if one != other]
        yield from _listed(f"events were heard by the {heard.who} otherwise than they are on disk", differ)
        if len(heard.events) > len(told):
            yield f"the {heard.who} heard {len(heard.events)} events, and {len(told)} are on disk"


def _complaints(books: Books) -> Iterator[str]:
    yield from books.ledger.complaints


def _settled(books: Books) -> Iterator[str]:
    """Every send has arrived, or is known not to have; none is uncertain where the link deduplicates."""
    arrived = {row["link_id"] for row in books.arrived}
    read = {row["link_id"] for row in books.outbound if row["status"] == "read"}
    yield from _listed("sends are called read, but never arrived", sorted(read - arrived))
    yield from _listed("sends arrived, but are not known to", sorted(arrived - read))
    stuck = [(r["session"], r["message_id"], r["status"]) for r in books.outbound if not _may_rest(r, books)]
    yield from _listed("sends were left standing", stuck)
    failed = [row["message_id"] for row in books.outbound if row["status"] == "failed"]
    if len(failed) > books.ledger.nacks:
        yield from _listed(f"sends failed, where {books.ledger.nacks} were to", failed)


def _may_rest(row: dict[str, Any], books: Books) -> bool:
    if row["status"] == "uncertain":
        return row["session"] in books.forgetful
    return row["status"] in ("read", "failed")


def _all_received(books: Books) -> Iterator[str]:
    recorded = {row["link_id"] for row in books.inbound}
    wrote = {row["link_id"] for row in books.wrote}
    yield from _listed("messages that people wrote are not recorded", sorted(wrote - recorded))
    yield from _listed("messages are recorded that nobody wrote", sorted(recorded - wrote))


def _all_heard(books: Books) -> Iterator[str]:
    for heard in books.heard:
        if len(heard.events) < (books.rest or 0):
            yield f"the {heard.who} heard {len(heard.events)} of {books.rest} events"


CHECKS: tuple[Check, ...] = (
    _whole, _rejected, _sends_kept, _sends_once, _injections_kept, _inbound_once, _stamps, _streams, _complaints,
)  # fmt: skip
AT_REST: tuple[Check, ...] = (_settled, _all_received, _all_heard)
