"""The latency page and the machine room over ASGI."""

import random
import re
from dataclasses import replace

import pytest

from pombal.dashboard.pages import latency
from pombal.model.caller import Role
from pombal.model.health import Check
from pombal.model.results import MessagePage
from tests.dashboard import conftest
from tests.dashboard.conftest import HEALTH, Browser, Sign
from tests.dashboard.test_views import message
from tests.fakes.rooms import World, settings_with
from tests.service.world import ask, injected, ready


async def test_latency_says_so_where_nothing_was_measured(admin: Browser) -> None:
    assert "Nothing was measured" in await admin.get("/latency")


async def test_latency_shows_the_numbers_of_latency_stats(admin: Browser, world: World) -> None:
    await ready(world)
    await injected(world, count=5)
    answer = await world.send("Olá")
    await world.until_status(answer.message.message_id, "read")
    page = (await admin.get("/latency?since=1h")).replace("\u202f", " ")
    stats = await ask(world, "latency.stats", since="1h")
    assert ">100 %<" in page
    assert f"Of {stats['measured_messages']} measured messages ({stats['total_messages']} in all)." in page
    assert f"{stats['percentiles']['to_delivered']['p95']:.0f} ms" in page
    assert '<path class="line line-inbound"' in page or '<path class="line dots line-inbound"' in page
    assert 'href="?since=1h&amp;session=ana"' in page
    assert "No message was late." in page
    numbers = page.partition('id="chart-numbers"')[2].partition("</table>")[0]
    messages = re.findall(r'<td class="num">(\d+)</td><td class="num [^>]*>\d+</td></tr>', numbers)
    assert sum(map(int, messages)) == stats["total_messages"]
    alone = await admin.get("/latency?session=ana&since=7d")
    assert 'id="by-session"' not in alone
    await admin.get("/latency?session=nobody", 404)


async def test_the_slowest_are_named_with_the_stage_to_blame(admin: Browser, world: World) -> None:
    world.live.replace(settings_with(latency={"acceptable_ms": 300}))
    world.store.writer.acceptable_ms = 300
    await ask(world, "session.create", name="lenta", settings={"delivered_ms": 400, "auto_scan_ms": 1})
    await world.until("lenta", "ready")
    answer = await world.send("devagar", session="lenta")
    await world.until_status(answer.message.message_id, "read", "lenta")
    page = await admin.get("/latency")
    slowest = page.partition('id="slowest"')[2]
    assert f'href="/messages/{answer.message.id}"' in slowest
    assert "most of it to the phone" in slowest
    assert re.search(r'<li class="guilty">.*?to the phone', slowest)
    slow = await admin.get("/messages?slow=1")
    assert "devagar" in slow


class Late:
    """A daemon that knows so many late messages, and answers with the newest of those that took at least so long."""

    def __init__(self, took_ms: list[int]) -> None:
        self._messages = [message(id=place, total_latency_ms=took) for place, took in enumerate(took_ms)]
        self.asked = 0

    async def ask(self, method: str, *, threshold_ms: int | None, limit: int) -> MessagePage:
        self.asked += 1
        found = [each for each in reversed(self._messages) if (each.total_latency_ms or 0) >= (threshold_ms or 0)]
        return MessagePage(results=found[:limit], next="more" if len(found) > limit else None, last_seq=0)


@pytest.mark.parametrize("count", [0, 7, 200, 201, 30_000])
async def test_the_slowest_of_many_late_ones_are_found_though_they_are_not_the_newest(count: int) -> None:
    dice = random.Random(count)
    took_ms = [5000 + dice.randrange(100_000) for _ in range(count)]
    late = Late(took_ms)
    found = await latency.slowest_of(late)  # type: ignore[arg-type]
    assert [each.total_latency_ms for each in found] == sorted(took_ms, reverse=True)[: latency.SLOWEST]
    assert late.asked <= latency.ROUNDS


async def test_what_fails_is_told_in_words_and_the_daemons_own_stand_below(
    sign_in: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = {**HEALTH.checks, "store": Check(ok=False, detail="nothing can be recorded: disk full")}
    monkeypatch.setattr(conftest, "HEALTH", replace(HEALTH, checks=failing, is_draining=True))
    page = await sign_in(language="pt-BR").get("/machine")
    assert "Veja se o disco está cheio ou parado" in page
    assert 'lang="en" dir="auto">nothing can be recorded: disk full<' in page
    assert "O daemon está encerrando" in page


async def test_the_machine_room_shows_health_commits_listeners_and_actors(admin: Browser, world: World) -> None:
    await ready(world)
    page = await admin.get("/machine")
    assert "All is well" in page
    assert '<rect class="commit"' in page
    assert page.index('id="branch-session"') < page.index('id="actor-session-ana"')
    assert "No actor has crashed" in await admin.get("/machine?crashed=1")
    assert "Nobody listens." in page
    only = await admin.get("/machine?kind=session&_part=actors")
    assert "actor-session-ana" in only
    assert "branch-session" not in only
    assert "<html" not in only


async def test_the_machine_room_is_not_for_users(sign_in: Sign) -> None:
    assert "You may not do this" in await sign_in("ana", Role.USER).get("/machine", 403)
