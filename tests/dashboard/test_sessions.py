"""Sessions: the table, a new one, one alone, what is done to it, and how a phone is linked."""

import re

import pytest
import trio
from trio.testing import MockClock

from pombal.model.caller import Role
from tests.dashboard.conftest import Browser, Sign
from tests.fakes.rooms import World
from tests.service.world import ask, injected, ready


async def test_without_sessions_the_page_says_what_one_is(admin: Browser) -> None:
    page = await admin.get("/sessions")
    assert "No sessions yet" in page
    assert "No session fits" in await admin.get("/sessions?search=x")


async def test_the_table_shows_states_rates_and_what_to_do(admin: Browser, world: World) -> None:
    await ready(world, "loja")
    await injected(world, session="loja", count=30)
    await ask(world, "session.create", name="parada", start=False)
    page = await admin.get("/sessions")
    rows = dict(re.findall(r'<tr class="session".*?href="/sessions/(\w+)".*?(<td.*?)</tr>', page, re.DOTALL))
    assert "Ready" in rows["loja"]
    assert "↓ 0.5" in rows["loja"]
    assert "/sessions/loja/do/stop" in rows["loja"]
    assert "It was stopped. Start it." in rows["parada"]
    assert "/sessions/parada/do/start" in rows["parada"]


async def test_filters_stand_in_the_address_and_in_the_form(admin: Browser, world: World) -> None:
    await ready(world, "loja")
    await ask(world, "session.create", name="parada", start=False)
    page = await admin.get("/sessions?status=ready&search=lo")
    assert 'value="lo"' in page
    assert '<option value="ready" selected>' in page
    assert "/sessions/parada" not in page
    await admin.get("/sessions?status=nonsense", 422)


async def test_a_part_of_the_page_is_the_page_s_own_html(admin: Browser, world: World) -> None:
    await ready(world, "loja")
    whole = await admin.get("/sessions")
    part = await admin.get("/sessions?_part=tiles")
    assert part.strip() in whole
    assert "<html" not in part
    await admin.get("/sessions?_part=nonsense", 404)


async def test_pages_of_sessions_follow_one_another(admin: Browser, world: World) -> None:
    for number in range(53):
        await ask(world, "session.create", name=f"s{number:02}", start=False)
    first = await admin.get("/sessions")
    (cursor,) = re.findall(r"cursor=(\d+)", first)
    second = await admin.get(f"/sessions?cursor={cursor}")
    names = [re.findall(r'class="name" href="/sessions/(\w+)"', page) for page in (first, second)]
    assert [len(each) for each in names] == [50, 3]
    assert names[0] + names[1] == [f"s{number:02}" for number in range(53)]
    assert len(re.findall('class="name"', await admin.get("/sessions?_part=rows&limit=53"))) == 53


async def test_a_session_is_created_and_leads_to_its_code(admin: Browser, world: World) -> None:
    answer = await admin.post("/new-session", {"name": "loja", "device_name": "Balcão"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sessions/loja/link")
    assert "pombal_flash=session_created" in answer.headers["set-cookie"]
    assert world.row("loja").device_name == "Balcão"


async def test_what_was_typed_into_a_form_that_is_wrong_is_not_lost(admin: Browser) -> None:
    answer = await admin.post("/new-session", {"name": "Bad Name", "device_name": 'x"><script>'})
    assert answer.status_code == 422
    assert 'value="Bad Name"' in answer.text
    assert "x&#34;&gt;&lt;script&gt;" in answer.text


async def test_it_is_stopped_started_and_restarted(admin: Browser, world: World) -> None:
    await ready(world, "loja")
    answer = await admin.post("/sessions/loja/do/stop", {"next": "/sessions?status=ready"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sessions?status=ready")
    assert world.row("loja").status_reason == "stopped"
    await admin.post("/sessions/loja/do/start")
    await world.until("loja", "ready")
    await admin.post("/sessions/loja/do/restart")
    await world.until("loja", "ready")
    assert (await admin.post("/sessions/loja/do/purge")).status_code == 404


async def test_what_cannot_be_undone_is_asked_first(admin: Browser, world: World) -> None:
    await ready(world, "loja")
    await injected(world, session="loja", count=2)
    assert "Log out loja?" in await admin.get("/sessions/loja/confirm/logout")
    assert "Delete its messages too (2)" in await admin.get("/sessions/loja/confirm/delete")
    await admin.get("/sessions/loja/confirm/explode", 404)
    await admin.post("/sessions/loja/confirm/logout")
    await world.until_true(lambda: world.row("loja").phone_number is None or world.row("loja").status != "ready")
    answer = await admin.post("/sessions/loja/confirm/delete", {"purge": "yes"})
    assert answer.headers["location"] == "/sessions"
    assert (await ask(world, "session.list"))["results"] == []


async def test_one_session_with_its_counters_latency_and_history(admin: Browser, world: World) -> None:
    await ready(world, "loja")
    await injected(world, session="loja", count=3)
    page = await admin.get("/sessions/loja")
    assert "<b>3</b><span>Received</span>" in page
    assert len(re.findall(r'<li><time.*?class="state', page)) >= 4
    assert page.index("Ready", page.index('id="history"')) < page.index("Connecting", page.index('id="history"'))


async def test_each_state_of_the_history_says_how_long_it_lasted(
    admin: Browser, world: World, autojump_clock: MockClock
) -> None:
    await ready(world, "loja")
    await trio.sleep(3700)
    await ask(world, "session.stop", name="loja")
    await trio.sleep(90)
    history = (await admin.get("/sessions/loja")).partition('<ol class="history"')[2].replace("\u202f", " ")
    assert re.findall(r'class="lasted">for ([^<]+)<', history)[:2] == ["1 min 30 s", "1 h 1 min"]


async def test_a_reason_is_told_with_what_to_do_in_the_reader_s_language(sign_in: Sign, world: World) -> None:
    await ready(world, "loja")
    await ask(world, "simulator.fault", name="loja", kind="banned")
    await world.until("loja", "error", "banned")
    assert "Appeal in the phone&#39;s app" in await sign_in().get("/sessions/loja")
    assert "Recorra no aplicativo do telefone" in await sign_in(language="pt-BR").get("/sessions/loja")


class TestLinking:
    @pytest.fixture
    async def waiting(self, world: World) -> None:
        await ask(world, "session.create", name="loja", settings={"auto_scan_ms": None, "seed": 3})
        await world.until("loja", "qrcode")

    async def test_the_code_is_drawn_large_with_the_steps(self, waiting: None, admin: Browser) -> None:
        page = await admin.get("/sessions/loja/link")
        assert '<svg class="qr"' in page.replace('xmlns="http://www.w3.org/2000/svg" ', "") or 'class="qr"' in page
        assert "style=" not in page
        assert re.search(r'data-countdown="\d{4,5}"', page)
        assert "Linked devices" in page

    async def test_the_code_is_not_in_the_page_as_text(self, waiting: None, admin: Browser, world: World) -> None:
        code = (await ask(world, "session.qr", name="loja"))["code"]
        assert code not in await admin.get("/sessions/loja/link")

    async def test_the_simulated_phone_scans(self, waiting: None, admin: Browser, world: World) -> None:
        answer = await admin.post("/sessions/loja/scan")
        assert answer.headers["location"] == "/sessions/loja/link"
        await world.until("loja", "ready")
        assert 'data-move-on="/sessions/loja/chats"' in await admin.get("/sessions/loja/link?_part=link")

    async def test_a_pairing_code_stands_in_the_answer_alone(self, waiting: None, admin: Browser) -> None:
        answer = await admin.post("/sessions/loja/link", {"phone_number": "+55 11 98888-7777"})
        assert answer.status_code == 200
        assert re.search(r'class="pair-code".*?<code>[A-Z0-9-]{8,9}</code>', answer.text, re.DOTALL)
        assert "pair-code" not in await admin.get("/sessions/loja/link")

    async def test_a_number_that_is_none_is_refused_in_the_page(self, waiting: None, admin: Browser) -> None:
        answer = await admin.post("/sessions/loja/link", {"phone_number": "12"})
        assert 'role="alert"' in answer.text

    async def test_who_may_not_see_codes_is_told(self, waiting: None, sign_in: Sign) -> None:
        await sign_in("bia", Role.USER).get("/sessions/loja/link", 404)


async def test_a_session_that_waits_for_its_network_says_so(
    admin: Browser, world: World, autojump_clock: MockClock
) -> None:
    await ask(world, "session.create", name="loja", start=False)
    page = await admin.get("/sessions/loja/link")
    assert "It was stopped. Start it." in page
    assert "/sessions/loja/do/start" in page


async def test_language_and_colours_are_kept(admin: Browser) -> None:
    answer = await admin.post("/preferences", {"language": "pt-BR", "theme": "dark", "next": "/latency"})
    assert answer.headers["location"] == "/latency"
    cookies = [header.partition(";")[0] for header in answer.headers.get_list("set-cookie")]
    page = await admin.get("/latency", Cookie="; ".join([f"pombal_token={admin.token}", *cookies]))
    assert '<html lang="pt-BR" data-theme="dark">' in page
    assert "Latência" in page
    nonsense = await admin.post("/preferences", {"language": "xx", "theme": "pink"})
    assert "set-cookie" not in nonsense.headers


async def test_files_are_kept_for_ever_under_their_version(admin: Browser) -> None:
    page = await admin.get("/sessions")
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        answer = await admin.http.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    old = await admin.http.get(re.sub(r"/static/\w+/", "/static/older/", path))
    assert old.headers["cache-control"] == "no-cache"
    await admin.get("/static/x/../../words.py", 404)
    await admin.get("/static/x/js/none.js", 404)
