"""chat.list, session.figures, latency.series and daemon.internals: what pages of a dashboard are made of."""

from trio.testing import MockClock

from pombal.model.errors import Kind
from tests.fakes.rooms import World, outcome
from tests.service.world import ANA, BIA, ask, injected, ready


async def test_chats_with_their_last_message_and_what_is_unread(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await injected(world, "primeira", **{"from": "5511922220001"})
    (name,) = await injected(world, "segunda", **{"from": "5511922220002"})
    page = await ask(world, "chat.list", session="ana", limit=1)
    (chat,) = page["results"]
    assert (chat["last_message"]["text_content"], chat["unread_count"]) == ("segunda", 1)
    assert chat["contact_name"]
    rest = await ask(world, "chat.list", session="ana", cursor=page["next"])
    assert [chat["last_message"]["text_content"] for chat in rest["results"]] == ["primeira"]
    assert rest["next"] is None
    await ask(world, "message.mark_read", session="ana", message_ids=[name])
    found = await ask(world, "chat.list", session="ana", search="5511922220002")
    assert [chat["unread_count"] for chat in found["results"]] == [0]


async def test_chats_of_anothers_session_are_not_found(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    assert (await ask(world, "chat.list", ANA, session="ana"))["results"] == []
    for caller, session in ((BIA, "ana"), (ANA, "nobody")):
        assert await outcome(ask(world, "chat.list", caller, session=session)) == Kind.NOT_FOUND
    assert await outcome(ask(world, "chat.list", session="ana", cursor="x")) == Kind.INVALID


async def test_figures_of_sessions_by_name_and_of_those_that_talk(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await ready(world, "bia", "bia")
    await injected(world, count=3)
    answer = await world.send()
    await world.until_status(answer.message.message_id, "delivered")
    named = await ask(world, "session.figures", sessions=["bia", "ana"])
    assert [(each["session"], each["inbound_messages"]) for each in named["results"]] == [("bia", 0), ("ana", 3)]
    assert (named["results"][0]["acceptable_rate"], named["results"][1]["acceptable_rate"]) == (None, 1.0)
    talking = await ask(world, "session.figures")
    (ana,) = talking["results"]
    assert (ana["session"], ana["outbound_messages"], ana["outbox_depth"]) == ("ana", 1, 0)
    assert ana["percentiles"]["to_delivered"]["p95"] > 0
    assert (await ask(world, "session.figures", BIA))["results"] == []
    assert await outcome(ask(world, "session.figures", BIA, sessions=["ana"])) == Kind.NOT_FOUND


async def test_latency_over_time(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    assert (await ask(world, "latency.series"))["results"] == []
    await injected(world, count=3)
    series = await ask(world, "latency.series", ANA, session="ana", since="2h")
    assert sum(point["inbound_messages"] for point in series["results"]) == 3
    assert sum(bar["count"] for bar in series["distribution"]["inbound"]) == 3
    assert (await ask(world, "latency.series", BIA))["results"] == []
    assert await outcome(ask(world, "latency.series", since="soon")) == Kind.INVALID


async def test_internals_tell_of_commits_and_listeners(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    asked = {"after": None, "sessions": None, "types": None, "log_id": None, "transport": "test"}
    async with world.service.subscribe(**asked, caller=ANA):  # type: ignore[arg-type]
        inside = await ask(world, "daemon.internals")
    assert inside["subscribers"] == [{"transport": "test", "count": 1, "lag_events": 0}]
    assert inside["recorder"]["unavailable"] is None
    assert sum(commit["changes"] for commit in inside["recorder"]["commits"]) >= 3
    assert await outcome(ask(world, "daemon.internals", ANA)) == Kind.FORBIDDEN
