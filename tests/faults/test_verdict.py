"""The verdict itself: a harness that finds nothing must be able to find everything.

A daemon's books, sound at first; then each of them is falsified, and the verdict must say so.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.listeners import Heard
from tests.faults.verdict import Books, problems
from tests.faults.world import FORGETFUL, SHORT, World, world


async def test_whatever_is_falsified_is_found(short_path: Path) -> None:
    async with world(short_path, random.Random(1), SHORT, disk=False, library=False) as it:
        async with it.load.running():
            await it.ledger.more(60)
        await it.settle()
        it.judge_at_rest()
        for what, falsify in FORGERIES.items():
            found = list(_after(it, falsify))
            assert any(what in problem for problem in found), f"{what}: {found}"
        it.judge_at_rest()


def _after(it: World, falsify: Callable[[Books], None]) -> Iterator[str]:
    books = Books(it.home, it.ledger, it.heard, frozenset(FORGETFUL), it.settled_at)
    falsify(books)
    yield from problems(books)


def _lose_a_send(books: Books) -> None:
    books.outbound.pop()


def _record_twice(books: Books) -> None:
    books.outbound.append(books.outbound[0])


def _deliver_twice(books: Books) -> None:
    books.arrived[0]["times_received"] = 2


def _send_what_is_not_recorded(books: Books) -> None:
    books.arrived.append({"link_id": "strange", "times_received": 1})


def _never_arrive(books: Books) -> None:
    books.arrived.pop()


def _lose_what_came_in(books: Books) -> None:
    books.inbound.pop()


def _receive_twice(books: Books) -> None:
    books.inbound.append(books.inbound[0])


def _leave_standing(books: Books) -> None:
    books.outbound[0]["status"] = "sent"


def _be_uncertain_in_vain(books: Books) -> None:
    row = next(row for row in books.outbound if row["session"] not in FORGETFUL)
    row["status"] = "uncertain"


def _go_back_in_time(books: Books) -> None:
    books.outbound[0]["sent_at"] = books.outbound[0]["queued_at"] - 1


def _tell_otherwise(books: Books) -> None:
    books.events[3]["type"] = "session.deleted"


def _forget_an_event(books: Books) -> None:
    del books.events[-1]


FORGERIES: dict[str, Callable[[Books], None]] = {
    "acknowledged sends are lost": _lose_a_send,
    "sends are recorded twice": _record_twice,
    "reached their recipient more than once": _deliver_twice,
    "but are not recorded": _send_what_is_not_recorded,
    "called read, but never arrived": _never_arrive,
    "acknowledged to the link and are lost": _lose_what_came_in,
    "inbound messages are recorded twice": _receive_twice,
    "sends were left standing": _leave_standing,
    "'uncertain'": _be_uncertain_in_vain,
    "precede the one before": _go_back_in_time,
    "otherwise than they are on disk": _tell_otherwise,
    "are on disk": _forget_an_event,
}


HEARD = [
    {"seq": 1, "type": "message.queued", "data": {"id": 1, "status": "queued"}},
    {"seq": 2, "type": "message.status", "data": {"id": 1, "status": "read"}},
]


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"seq": 4, "type": "message.status", "data": {"id": 1, "status": "read"}}, "came after event 2"),
        ({"seq": 2, "type": "message.status", "data": {"id": 1, "status": "read"}}, "came after event 2"),
        ({"seq": 9, "type": "gap", "data": {"from": 3, "to": 9}}, "came after event 2"),
        ({"seq": 3, "type": "message.status", "data": {"id": 1, "status": "sent"}}, "went down from read to sent"),
        ({"seq": 3, "type": "message.queued", "data": {"id": 1, "status": "queued"}}, "was told twice"),
        ({"seq": 3, "type": "message.status", "data": {"id": 2, "status": "sent"}}, "nobody was told of"),
    ],
)
def test_a_listener_complains(event: dict[str, object], problem: str) -> None:
    heard = Heard("listener")
    heard.hear(HEARD)
    assert heard.problems == []
    heard.hear([event])
    (found,) = heard.problems
    assert problem in found
