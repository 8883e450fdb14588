"""The dashboard in Chromium before a running daemon: what it is held to."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.dashboard.heap import HeapWatch
from tests.dashboard.live import WAIT_MS, LiveDaemon, Visitor, chromium, is_same, overflows, until

pytestmark = pytest.mark.system("chromium")

CHAT = "/sessions/loja/chats/5511922220000@s.whatsapp.net"
RANKS = ["queued", "sent", "delivered", "read"]
MEMORY_S = float(os.environ.get("POMBAL_MEMORY_S", "120"))
SAMPLES_MIN, SAMPLE_EVERY_MS = 8, 4000.0
BUBBLES_MAX = 450
MEDIA_MAX_BYTES = 2_000_000
# 3,000 events a minute: a script or a node that is kept for each of them shows.
GROWTH_MAX_BYTES_A_MINUTE = 1_000_000
HOSTILE = (
    "<script>document.title = 'taken'</script>",
    "<img src=x onerror=\"alert('taken')\">",
    "\u202e\u2066fdp.exe \u2067\u202d{{ 7 * 7 }}",
    "َ" * 3000,
    "x" * 65_536,
)

# Records each status that a bubble has been shown with.
WATCH_TICKS = """
text => {
  window.seenTicks = [];
  const look = () => {
    const bubble = [...document.querySelectorAll(".bubble.ours")].find(each => each.innerText.includes(text));
    const status = bubble && [...bubble.classList].find(name => name.startsWith("is-") && name !== "is-late");
    if (status && window.seenTicks.at(-1) !== status) window.seenTicks.push(status);
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true });
}
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[LiveDaemon]:
    with tempfile.TemporaryDirectory(prefix="pombal-") as root:
        made = LiveDaemon(Path(root), media={"max_bytes": MEDIA_MAX_BYTES})
        made.start()
        made.ready("loja")
        made.inject("loja", "Bom dia!")
        yield made
        made.close()


@pytest.fixture(scope="module")
def browser(daemon: LiveDaemon) -> Iterator[Browser]:
    expect.set_options(timeout=WAIT_MS)
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def token(daemon: LiveDaemon) -> str:
    return daemon.token()


@pytest.fixture(scope="module")
def busy_page(browser: Browser, daemon: LiveDaemon, token: str) -> Iterator[HeapWatch]:
    """A thread into which fifty messages a second arrive, open from the first test to the last."""
    daemon.ready("muito", inbound_rate=50, contacts=1)
    # a context of its own has a process of its own: what other pages hold is not counted
    with browser.new_context(locale="en-US") as context:
        page = Visitor(context, daemon, token).page("/sessions/muito/chats")
        page.locator(".chat-lines a").first.click()
        page.wait_for_selector('html[data-live="on"]', state="attached")
        page.evaluate("window.sameAsBefore = true")
        yield HeapWatch(page)


@pytest.fixture(autouse=True)
def _sampled(busy_page: HeapWatch) -> Iterator[None]:
    yield
    busy_page.sample()


@pytest.fixture
def visitor(browser: Browser, daemon: LiveDaemon, token: str) -> Iterator[Visitor]:
    """Whatever a test does: no script fails, no dialog opens, and nobody but the daemon is asked for anything."""
    with browser.new_context(locale="en-US", timezone_id="America/Sao_Paulo") as context:
        made = Visitor(context, daemon, token)
        yield made
        assert made.troubles == []
        assert made.foreign == []


def test_from_the_door_to_a_session_that_is_ready_without_a_reload(
    browser: Browser, daemon: LiveDaemon, token: str
) -> None:
    with browser.new_context(locale="en-US") as context:
        visitor = Visitor(context, daemon, None)
        page = visitor.page("/sessions")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="New session").click()
        page.get_by_label("Name", exact=True).fill("nova")
        page.get_by_role("button", name="Create and link").click()
        expect(page.locator("svg.qr")).to_be_visible()
        expect(page.locator("[data-countdown]")).to_have_text(re.compile(r"^\d+ s$"))
        # the page may be older than the code: what belongs to a code comes with it
        expect(page.get_by_label("The phone's number")).to_be_visible()
        page.wait_for_selector('html[data-live="on"]', state="attached")
        page.evaluate("window.sameAsBefore = true")
        daemon.call("simulator.scan", name="nova")
        expect(page.get_by_text("Linked. The session is ready.")).to_be_visible()
        assert is_same(page)
        page.wait_for_url("**/sessions/nova/chats")
        page.locator("summary").first.click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_visible()
        page.goto(f"{daemon.url}/sessions")
        expect(page.get_by_label("Token")).to_be_visible()
        assert (visitor.troubles, visitor.foreign) == ([], [])


def test_the_code_follows_its_rotation(visitor: Visitor, daemon: LiveDaemon) -> None:
    daemon.call("session.create", name="gira", settings={"qr_lifetime_ms": 1500, "qr_rounds": 1000})
    daemon.until_status("gira", "qrcode")
    page = visitor.live("/sessions/gira/link")
    first = page.locator("svg.qr").inner_html()
    until(lambda: page.locator("svg.qr").inner_html() != first)
    assert is_same(page)
    daemon.call("session.delete", name="gira")


def test_a_message_is_sent_with_its_ticks_and_an_answer_arrives(visitor: Visitor, daemon: LiveDaemon) -> None:
    page = visitor.live(CHAT)
    page.evaluate(WATCH_TICKS, "Seu pedido saiu")
    text = page.get_by_role("textbox", name="Message", exact=True)
    text.fill("Seu pedido saiu")
    text.press("Enter")
    bubble = page.locator(".bubble.ours", has_text="Seu pedido saiu")
    expect(bubble.locator(".ticks.is-read")).to_be_visible()
    expect(text).to_have_value("")
    seen = [status.removeprefix("is-") for status in page.evaluate("window.seenTicks")]
    assert seen == sorted(set(seen), key=RANKS.index)
    assert seen[-1] == "read"
    assert len(seen) > 1
    bubble.locator("summary").click()
    expect(bubble.locator(".stage-list")).to_contain_text("to the phone")
    daemon.inject("loja", "Obrigada! 🙏")
    expect(page.locator(".bubble.theirs", has_text="Obrigada!")).to_be_visible()
    expect(page.locator(".chat-lines [aria-current] .preview")).to_have_text("Obrigada! 🙏")
    assert is_same(page)


def test_it_is_found_while_it_is_typed(visitor: Visitor, daemon: LiveDaemon) -> None:
    daemon.inject("loja", "onde fica Quiçamã?")
    page = visitor.live("/messages")
    page.get_by_label("Search").press_sequentially("quicama")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("onde fica Quiçamã?")
    assert "search=quicama" in page.url
    assert is_same(page)
    daemon.inject("loja", "Quiçamã, por favor")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Session").fill("nobody")
    expect(page.get_by_role("alert")).to_contain_text("There is no session of that name")
    page.get_by_label("Session").fill("loja")
    expect(page.locator("tbody tr")).to_have_count(2)
    visitor.troubles = [each for each in visitor.troubles if "status of 404" not in each]


def test_what_was_slow_is_among_high_latency(visitor: Visitor, daemon: LiveDaemon) -> None:
    daemon.ready("lenta", delivered_ms=2500)
    daemon.call("message.send", session="lenta", to="5511933330000", text="devagar")
    page = visitor.live("/messages?slow=1")
    expect(page.locator("tbody tr", has_text="devagar")).to_contain_text("to the phone")
    page.goto(f"{daemon.url}/latency?since=1h")
    expect(page.locator(".slowest")).to_contain_text("most of it to the phone")


def test_a_daemon_that_is_restarted_under_an_open_page(visitor: Visitor, daemon: LiveDaemon) -> None:
    page, beside = visitor.live(CHAT), [visitor.live(path) for path in ("/machine", "/new-session")]
    daemon.stop()
    for each in (page, *beside):
        expect(each.get_by_text("No connection to the daemon")).to_be_visible()
    text = page.get_by_role("textbox", name="Message", exact=True)
    text.fill("sem daemon")
    text.press("Enter")
    expect(page.locator(".toast")).to_contain_text("what you wrote is kept")
    expect(text).to_have_value("sem daemon")
    daemon.start()
    daemon.until_status("loja", "ready")
    for number in range(3):
        daemon.inject("loja", f"depois {number}")
    for number in range(3):
        expect(page.locator(".bubble", has_text=f"depois {number}")).to_be_visible()
    for each in (page, *beside):
        expect(each.get_by_text("No connection to the daemon")).to_be_hidden()
        assert is_same(each)
    # The browser says of each request that nobody answered it.
    visitor.troubles = [each for each in visitor.troubles if not each.startswith("console: ")]


def test_whatever_somebody_writes_is_text_and_breaks_no_page(visitor: Visitor, daemon: LiveDaemon) -> None:
    daemon.call("session.create", name="texto", settings={"auto_scan_ms": 1}, device_name="<b>&\u202e")
    daemon.until_status("texto", "ready")
    for text in HOSTILE:
        daemon.inject("texto", text, number="5511944440000")
    page = visitor.live("/sessions/texto/chats/5511944440000@s.whatsapp.net")
    expect(page.locator(".bubble .text")).to_have_count(len(HOSTILE))
    assert page.locator(".bubble .text").all_text_contents() == list(HOSTILE)
    for path in ("/sessions/texto/chats", "/messages", "/sessions/texto", "/sessions"):
        page.goto(daemon.url + path)
        expect(page.locator("h1")).to_be_visible()
        assert not overflows(page), path
    assert "taken" not in page.title()


def test_a_path_that_is_not_there_and_a_file_that_is_too_large_are_told_in_words(
    browser: Browser, daemon: LiveDaemon, token: str
) -> None:
    with browser.new_context(locale="pt-BR") as context:
        page = Visitor(context, daemon, token).page("/no/such/page")
        expect(page.get_by_role("heading", name="Não há nada aqui")).to_be_visible()
        page.get_by_role("link", name="Ir para as sessões").click()
        page.wait_for_url("**/sessions")
        page.goto(daemon.url + CHAT)
        page.get_by_role("textbox", name="Mensagem", exact=True).fill("veja")
        large = {"name": "a.bin", "mimeType": "application/octet-stream", "buffer": bytes(MEDIA_MAX_BYTES + 1)}
        page.locator("[data-file]").set_input_files(large)  # type: ignore[arg-type]
        page.get_by_role("button", name="Enviar").click()
        expect(page.locator(".toast")).to_contain_text("O arquivo é maior do que este daemon aceita")
        expect(page.get_by_role("textbox", name="Mensagem", exact=True)).to_have_value("veja")


def test_whoever_has_gone_back_in_a_thread_stays_there_and_hears_of_what_is_new(
    visitor: Visitor, daemon: LiveDaemon
) -> None:
    daemon.inject("loja", number="5511955550000", count=60)
    page = visitor.live("/sessions/loja/chats/5511955550000@s.whatsapp.net")
    expect(page.locator(".bubble")).to_have_count(50)
    expect(page.get_by_role("button", name="New messages")).to_be_hidden()
    page.locator(".messages").evaluate("thread => { thread.scrollTop = 300; }")
    daemon.inject("loja", "Cheguei!", number="5511955550000")
    page.get_by_role("button", name="New messages").click()
    expect(page.locator(".bubble", has_text="Cheguei!")).to_be_in_viewport()
    expect(page.get_by_role("button", name="New messages")).to_be_hidden()


def test_a_part_that_is_fetched_anew_keeps_the_focus(visitor: Visitor, daemon: LiveDaemon) -> None:
    page = visitor.live("/sessions")
    row = page.locator("tr.session", has_text="loja")
    row.get_by_role("link", name="Chats").focus()
    before = row.inner_html()
    daemon.inject("loja", count=30)
    until(lambda: row.inner_html() != before)
    assert page.evaluate("document.activeElement.textContent").startswith("Chats")


def test_a_session_is_stopped_and_started_from_the_table(visitor: Visitor, daemon: LiveDaemon) -> None:
    daemon.ready("mesa")
    page, chats = visitor.live("/sessions"), visitor.live("/sessions/mesa/chats")
    row = page.locator("tr.session", has_text="mesa")
    row.get_by_role("button", name="Stop").click()
    expect(page.locator(".toast")).to_contain_text("its queue is kept")  # first: it goes by itself
    expect(row).to_contain_text("It was stopped. Start it.")
    expect(chats.locator(".session-state")).to_contain_text("It was stopped. Start it.")
    row.get_by_role("button", name="Start").click()
    expect(row).to_contain_text("Ready")
    assert is_same(page)


def test_without_scripts_every_page_reads_and_forms_post(browser: Browser, daemon: LiveDaemon, token: str) -> None:
    with browser.new_context(locale="pt-BR", java_script_enabled=False) as context:
        page = Visitor(context, daemon, token).page("/sessions")
        page.get_by_label("Buscar").fill("loja")
        page.get_by_role("button", name="Mostrar").click()
        expect(page.locator("tr.session")).to_have_count(1)
        page.goto(daemon.url + CHAT)
        page.get_by_role("textbox", name="Mensagem", exact=True).fill("sem script")
        page.get_by_role("button", name="Enviar").click()
        expect(page.locator(".bubble.ours", has_text="sem script")).to_be_visible()
        page.goto(f"{daemon.url}/new-session")
        page.get_by_label("Nome", exact=True).fill("simples")
        page.get_by_role("button", name="Criar e vincular").click()
        expect(page.locator("svg.qr")).to_be_visible()


def test_memory_stays_flat_while_much_arrives(busy_page: HeapWatch) -> None:
    """Fifty events a second for MEMORY_S, most of them beside the other tests: what is let go is really let go."""
    while busy_page.age_s < MEMORY_S or len(busy_page.samples) < SAMPLES_MIN:
        busy_page.page.wait_for_timeout(SAMPLE_EVERY_MS)
        busy_page.sample()
    growth = busy_page.bytes_a_minute()
    print(f"{growth / 1000:.0f} kB a minute over {busy_page.age_s:.0f} s: {busy_page.samples}")
    assert growth < GROWTH_MAX_BYTES_A_MINUTE
    # where more arrived than a page holds before it was fetched, the thread is the newest page alone
    assert 50 <= busy_page.page.locator(".bubble").count() <= BUBBLES_MAX
    assert is_same(busy_page.page)
