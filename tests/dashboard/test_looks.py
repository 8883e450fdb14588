"""Every page as it looks: accessible in both colour schemes, no wider than a phone, and photographed where asked for.

POMBAL_SCREENSHOTS=docs/dashboard .venv/bin/pytest tests/dashboard/test_looks.py
"""

import base64
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import segno
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.dashboard.live import WAIT_MS, LiveDaemon, Visitor, chromium, is_higher, overflows, until

pytestmark = pytest.mark.system("chromium")

SCREENSHOTS = os.environ.get("POMBAL_SCREENSHOTS")
WIDE, PHONE = ViewportSize(width=1280, height=860), ViewportSize(width=390, height=844)
NARROW = ViewportSize(width=320, height=568)  # as WCAG 1.4.10 (reflow) has it
BETWEEN = ViewportSize(width=768, height=1024), ViewportSize(width=1040, height=800)
CHAT = "/sessions/vendas/chats/5511922220000@s.whatsapp.net"
PAGES = {
    "sign-in": "/sign-in",
    "sessions": "/sessions",
    "no-session-found": "/sessions?search=nobody",
    "new-session": "/new-session",
    "session": "/sessions/vendas",
    "link": "/sessions/agenda/link",
    "delete": "/sessions/vendas/confirm/delete",
    "chats": "/sessions/vendas/chats",
    "chat": CHAT,
    "messages": "/messages",
    "message": "/messages/1",
    "long-text": "/sessions/financeiro/chats/5511966660000@s.whatsapp.net",
    "latency": "/latency?since=1h",
    "machine-room": "/machine",
    "error": "/sessions/nobody",
    "no-such-page": "/no/such/page",
}
# Between them these have everything that a colour is given to.
IN_THE_DARK = {"sessions", "session", "link", "chat", "messages", "latency", "machine-room", "error"}
TALK = (
    ("in", "Bom dia! Meu pedido 4711 ainda não chegou 😕"),
    ("out", "Bom dia, Iara! Vou verificar agora mesmo."),
    ("in", "Obrigada"),
    ("out", "Ele saiu hoje cedo e chega até as 18h. Posso ajudar com mais alguma coisa?"),
    ("in", "Não, era só isso. Valeu! 🙏"),
)


@pytest.fixture(scope="module")
def daemon() -> Iterator[LiveDaemon]:
    with tempfile.TemporaryDirectory(prefix="pombal-") as root:
        made = LiveDaemon(Path(root), simulator={"sent_ms": 40, "delivered_ms": 120, "read_ms": 200})
        made.start()
        furnish(made)
        yield made
        made.close()


def furnish(daemon: LiveDaemon) -> None:
    """Sessions in several states, and something that was said."""
    daemon.ready("vendas")
    daemon.ready("suporte", delivered_ms=2300)
    daemon.ready("financeiro")
    for kind, name in (("banned", "cobranca"), ("logged_out", "entregas")):
        daemon.ready(name)
        daemon.call("simulator.fault", name=name, kind=kind)
        daemon.until_status(name, "error")
    daemon.call("session.create", name="arquivo", start=False)
    daemon.call("session.create", name="agenda", settings={"qr_lifetime_ms": 3_600_000}, device_name="Recepção")
    daemon.until_status("agenda", "qrcode")
    for number in range(5):
        daemon.inject("vendas", number=f"551193333{number:04}")
        daemon.inject("financeiro", number=f"551195555{number:04}")
    for direction, text in TALK:
        if direction == "in":
            daemon.inject("vendas", text)
        else:
            daemon.call("message.send", session="vendas", to="5511922220000", text=text)
    show_every_kind(daemon)
    daemon.inject("financeiro", "Segue a lista. " * 800, number="5511966660000")
    for number in range(5):
        daemon.call("message.send", session="suporte", to=f"551194444{number:04}", text="O boleto foi enviado.")
    until(lambda: not daemon.call("message.list", status="sent")["results"])
    until(lambda: not daemon.call("message.list", status="queued")["results"])


def show_every_kind(daemon: LiveDaemon) -> None:
    """An answer, a picture, a file, a place, a reaction and a message that WhatsApp refused."""

    def send(**content: Any) -> None:
        daemon.call("message.send", session="vendas", to="5511922220000", **content)

    until(lambda: len(daemon.call("message.list", session="vendas", direction="inbound")["results"]) == 8)
    asked = daemon.call("message.list", session="vendas", search="4711")["results"][0]["message_id"]
    send(text="O código para pagar é este.", **picture(daemon))
    send(type="document", media=stored(daemon, b"%PDF-1.4" * 12_000, "application/pdf", "nota-fiscal-4711.pdf"))
    send(type="location", location={"latitude": -23.561, "longitude": -46.656, "name": "Loja Augusta"})
    send(text="A nota do pedido vai aqui em cima.", quoted_message_id=asked)
    send(type="reaction", reaction={"message_id": asked, "emoji": "❤️"})
    daemon.call("simulator.fault", name="vendas", kind="nack")
    send(text="Qualquer coisa, é só chamar!")


def picture(daemon: LiveDaemon) -> dict[str, Any]:
    drawn = io.BytesIO()
    segno.make("pombal").save(drawn, kind="png", scale=6)
    return {"type": "image", "media": stored(daemon, drawn.getvalue(), "image/png", "pix.png")}


def stored(daemon: LiveDaemon, content: bytes, mime_type: str, file_name: str) -> dict[str, str]:
    digest = hashlib.sha256(content).hexdigest()
    daemon.call("media.put", data=base64.b64encode(content).decode(), offset=0, sha256=digest)
    return {"sha256": digest, "mime_type": mime_type, "file_name": file_name}


@pytest.fixture(scope="module")
def browser(daemon: LiveDaemon) -> Iterator[Browser]:
    expect.set_options(timeout=WAIT_MS)
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def token(daemon: LiveDaemon) -> str:
    return daemon.token()


def visit(browser: Browser, daemon: LiveDaemon, token: str, **options: Any) -> Visitor:
    context = browser.new_context(timezone_id="America/Sao_Paulo", **options)
    visitor = Visitor(context, daemon, token)
    page = visitor.page("/sign-in")  # where the browser learns to tell its time zone
    page.close()
    return visitor


def photograph(page: Page, name: str) -> None:
    if SCREENSHOTS is not None:
        folder = Path(SCREENSHOTS)
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png")


def axe_violations(page: Page, **options: Any) -> list[str]:
    """What axe-core finds to be serious, or worse."""
    found = page.evaluate("options => axe.run(document, options)", {"resultTypes": ["violations"]} | options)
    return [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def test_every_page_is_accessible_in_both_schemes_and_fits_a_phone(
    browser: Browser, daemon: LiveDaemon, token: str
) -> None:
    """WCAG 2.1 A and AA; in the dark, what the scheme changes."""
    axe = (files("axe_playwright_python") / "axe.min.js").read_text()
    visitor = visit(browser, daemon, token, locale="en-US", viewport=WIDE)
    found: dict[str, list[str]] = {}
    for name, path in PAGES.items():
        page = visitor.page(path)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.evaluate(axe)
        found[name] = axe_violations(page, runOnly=["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"])
        photograph(page, name)
        if name in IN_THE_DARK or SCREENSHOTS:
            page.emulate_media(color_scheme="dark", reduced_motion="reduce")
            found[f"{name} in the dark"] = axe_violations(page, runOnly={"type": "rule", "values": ["color-contrast"]})
            photograph(page, f"{name}-dark")
        found[f"{name} between"] = [f"wider than {each['width']}" for each in BETWEEN if overflows(page, each)]
        found[f"{name} on a phone"] = ["wider than the screen"] * overflows(page, NARROW)
        if name == "chat":
            found["a chat on a phone"] = ["scrolls as a page"] * is_higher(page)
        page.close()
    assert {name: several for name, several in found.items() if several} == {}
    assert visitor.foreign == []


@pytest.mark.skipif(SCREENSHOTS is None, reason="only takes pictures")
def test_photographs_of_every_page_on_a_phone(browser: Browser, daemon: LiveDaemon, token: str) -> None:
    visitor = visit(browser, daemon, token, locale="pt-BR", viewport=PHONE, device_scale_factor=2)
    for name, path in PAGES.items():
        page = visitor.page(path)
        photograph(page, f"{name}-phone")
        page.close()


def test_it_speaks_portuguese_and_changes_on_request(browser: Browser, daemon: LiveDaemon, token: str) -> None:
    visitor = visit(browser, daemon, token, locale="pt-BR", viewport=WIDE)
    for name in ("sessions", "session", "chat", "messages", "latency", "link", "machine-room"):
        page = visitor.page(PAGES[name])
        assert page.locator("html").get_attribute("lang") == "pt-BR"
        photograph(page, f"{name}-pt")
        # its words are longer
        assert not [each for each in (*BETWEEN, NARROW) if overflows(page, each)], name
        page.close()
    page = visitor.page("/sessions")
    page.locator("details.menu summary").click()
    photograph(page, "menu-pt")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Sessions")).to_be_visible()
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator('html[data-theme="dark"]')).to_be_attached()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 21, 20)"
