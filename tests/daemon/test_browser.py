"""A page in a real browser opens the WebSocket as the platform's JavaScript does."""

from typing import Any

import pytest
import trio
from playwright.sync_api import sync_playwright

from tests.daemon.harness import WAIT_S, Home
from tests.daemon.stream_world import World, world_of

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

# As in DX Connect, but for what it does with the data.
SCRIPT = """
  const heard = [];
  let closed = null;
  function listen(address, token) {
    const socket = new WebSocket(address + "/ws/whatsapp/?token=" + token);
    socket.onmessage = (event) => heard.push(JSON.parse(event.data));
    socket.onclose = (event) => { closed = { code: event.code, reason: event.reason }; };
    return socket;
  }
  function source(address, token) {
    const events = new EventSource(address + "/api/v1/events/stream/?after=0&token=" + token);
    events.onmessage = (event) => heard.push(JSON.parse(event.data));
    return events;
  }
"""
HEARD = "(text) => heard.some((each) => each.data && each.data.text_content === text)"


def browse(url: str, token: str, inject: Any) -> dict[str, Any]:
    """All that the page does; runs in a thread. inject: has a message come in, called from there."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        page = browser.new_page()
        page.set_default_timeout(WAIT_S * 1000)
        # Any page from this address: Chromium lets none that it has not loaded from here open a socket to here.
        page.goto(f"{url}/api/v1/health/")
        page.add_script_tag(content=SCRIPT)
        address = url.replace("http", "ws", 1)
        page.evaluate("([address, token]) => { window.socket = listen(address, token); }", [address, token])
        page.wait_for_function("heard.length > 0 && heard[0].type === 'hello'")
        inject("Olá, navegador! 🕊")
        page.wait_for_function(HEARD, arg="Olá, navegador! 🕊")
        command = '{"type": "send", "ref": 1, "to": "5511999999999", "text": "de volta"}'
        page.evaluate("(command) => window.socket.send(command)", command)
        page.wait_for_function("heard.some((each) => each.type === 'result' && each.ref === 1)")
        page.wait_for_function("heard.some((each) => each.type === 'message.status' && each.data.status === 'read')")
        heard = page.evaluate("heard")
        page.evaluate("window.socket.close(1000)")
        page.wait_for_function("closed !== null")
        closed = page.evaluate("closed")
        page.evaluate("([address]) => { closed = null; listen(address, 'not a token'); }", [address])
        page.wait_for_function("closed !== null")
        refused = page.evaluate("closed")
        page.evaluate("([url, token]) => { heard.length = 0; source(url, token); }", [url, token])
        page.wait_for_function(HEARD, arg="Olá, navegador! 🕊")
        browser.close()
    return {"heard": heard, "closed": closed, "refused": refused}


async def _browsed(world: World) -> dict[str, Any]:
    def inject(text: str) -> None:
        trio.from_thread.run(world.inject, "vendas", 1, text)

    return await trio.to_thread.run_sync(browse, world.daemon.url, world.ana, inject)


@pytest.mark.system("chromium")
async def test_a_page_hears_and_speaks(home: Home) -> None:
    async with world_of(home) as world:
        found = await _browsed(world)
        await world.daemon.stop()
    events = [each for each in found["heard"] if "seq" in each]
    assert [each["seq"] for each in events] == sorted({each["seq"] for each in events})
    assert {each["owner"] for each in events} == {"ana"}
    assert found["closed"]["code"] == 1000
    assert (found["refused"]["code"], bool(found["refused"]["reason"])) == (4401, True)
