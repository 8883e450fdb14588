"""Erasing a contact: answered when it is done, by whoever asked first; what comes afterwards is recorded anew."""

import trio
from trio.testing import MockClock

from pombal.model.erasure_changes import WantErasure
from pombal.model.errors import Kind, PombalError
from pombal.model.person import Person, parse_person
from pombal.model.person_sides import Belongings, SideReport
from tests.fakes.rooms import World, outcome
from tests.service.world import ANA, ask, injected, ready

WHOM, TEXT = "5511922220000", "o segredo"


async def finished(world: World, erasure: str) -> None:
    while (await ask(world, "contact.erasure", erasure=erasure))["state"] != "done":
        await trio.lowlevel.checkpoint()


async def test_all_of_them_goes_and_the_receipt_says_what(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await injected(world, TEXT, **{"from": WHOM})
    await injected(world, "de outra", **{"from": "5511922220001"})
    done = await ask(world, "contact.erase", number="+55 11 92222-0000")
    assert (done["state"], done["step"], done["number"]) == ("done", None, "5511*******00")
    assert (done["removed"]["messages"], done["removed"]["contacts"], done["not_reached"]) == (1, 1, [])
    assert await ask(world, "contact.erasure", erasure=done["erasure"]) == done
    page = await ask(world, "message.list", session="ana")
    assert [message["text_content"] for message in page["results"]] == ["de outra"]
    assert [path for path in world.path.glob("pombal.db*") if WHOM.encode() in path.read_bytes()] == []


async def test_events_say_nothing_any_more_nor_out_of_memory(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    before = world.hub.last_seq
    await injected(world, TEXT, **{"from": WHOM})
    last = world.hub.last_seq
    asked = {"after": before, "sessions": None, "types": None, "log_id": None, "transport": "test"}
    async with world.service.subscribe(**asked, caller=ANA) as hearing:  # type: ignore[arg-type]
        await ask(world, "contact.erase", number=WHOM)
        heard = [event.object() for event in await hearing.next_batch()]
    told = {event["seq"]: event["data"] for event in heard}
    assert told[last] == {"erased": True}


async def test_who_does_not_wait_may_look_later(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await injected(world, TEXT, **{"from": WHOM})
    begun = await ask(world, "contact.erase", number=WHOM, wait_s=0.0)
    assert begun["state"] in ("wanted", "scrubbing")
    await finished(world, begun["erasure"])


async def test_what_comes_afterwards_is_recorded_anew(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await injected(world, TEXT, **{"from": WHOM})
    await ask(world, "contact.erase", number=WHOM)
    await injected(world, "de novo", **{"from": WHOM})
    page = await ask(world, "message.list", contact_number=WHOM)
    assert [message["text_content"] for message in page["results"]] == ["de novo"]


async def test_who_may_ask_and_for_whom(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    assert await outcome(ask(world, "contact.erase", ANA, number=WHOM)) == Kind.FORBIDDEN
    assert await outcome(ask(world, "contact.erasure", ANA, erasure="x")) == Kind.FORBIDDEN
    assert await outcome(ask(world, "contact.erasure", erasure="x")) == Kind.NOT_FOUND
    assert await outcome(ask(world, "contact.erase", number="120363000000000001@g.us")) == Kind.INVALID
    own = (await ask(world, "session.get", name="ana"))["phone_number"]
    assert await outcome(ask(world, "contact.erase", number=own)) == Kind.CONFLICT


async def test_the_log_says_who_erased_and_not_whom(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await ask(world, "contact.erase", number=WHOM)
    (entry, *_) = (await ask(world, "audit.list", method="contact."))["results"]
    assert (entry["outcome"], entry["target"]) == ("ok", {"number": "5511*******00"})
    assert await outcome(ask(world, "contact.erase", ANA, number=WHOM)) == Kind.FORBIDDEN


class Stuck:
    """A link's side whose files are in use, for as long as it is asked about one person."""

    name = "stuck"

    def __init__(self) -> None:
        self.number: str | None = WHOM

    async def also_called(self, person: Person) -> Person:
        return person

    async def erase(self, person: Person, belongings: Belongings) -> SideReport:
        await trio.lowlevel.checkpoint()
        if self.number in person.numbers:
            raise PombalError(Kind.UNAVAILABLE, "the file is in use")
        return SideReport()


async def test_one_that_has_to_wait_holds_up_no_other(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await injected(world, TEXT, **{"from": WHOM})
    stuck = Stuck()
    world.sides.append(stuck)
    waits = await ask(world, "contact.erase", number=WHOM, wait_s=1.0)
    assert (waits["state"], waits["step"]) == ("wanted", "waits: the file is in use")
    assert (await ask(world, "contact.erase", number="5511922220001"))["state"] == "done"
    stuck.number = None
    assert (await ask(world, "contact.erase", number=WHOM))["state"] == "done"
    assert (await ask(world, "message.list", session="ana"))["results"] == []


async def test_what_was_wanted_is_done_after_a_restart(autojump_clock: MockClock, world: World) -> None:
    """The actor is stopped before it begins; another one finds what is written down."""
    await ready(world)
    await injected(world, TEXT, **{"from": WHOM})
    change = WantErasure(at=world.clock(), id="E1", person=parse_person(WHOM), masked="5511*******00")
    await world.recorder.commit(change)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.erasing.run)
        await finished(world, "E1")
        nursery.cancel_scope.cancel()
    assert (await ask(world, "message.list", session="ana"))["results"] == []
