"""A life with everything in it that Pombal does, and what it leaves: no file open to others, no secret in the log."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import trio

from pombal.control.client import Client
from tests.daemon.harness import Home, Running, Settings, until, until_all, until_status
from tests.daemon.raw_line import raw_line
from tests.daemon.secrecy import open_to_others, told
from tests.daemon.streams import address, listening, refused

ANA = "5511987654321"
SENT, RECEIVED, CAPTION = "minha senha do banco", "o segredo de Ana", "legenda confidencial"
BASE = "/api/v1/whatsapp"
SETTINGS: Settings = {"simulator": {"auto_scan_ms": 86_400_000, "durable": True}, "metrics": {"per_session": True}}


@contextmanager
def a_generous_umask() -> Iterator[None]:
    """As a shell's: what is closed is closed by us."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


async def test_a_life_leaves_nothing_open_and_nothing_told(home: Home) -> None:
    home.configure(SETTINGS)
    with a_generous_umask():
        async with home.daemon() as daemon, daemon.client() as client:
            secrets = await _linked(client)
            secrets |= {"sent": SENT, "received": RECEIVED, "caption": CAPTION}
            await _talked(client, home.root)
            secrets |= await _over_http(daemon, home)
            await _badly_asked(home)
            await _crashed(client)
            backup = await home.command("db", "backup", "--config", str(home.config), str(home.state / "backup.db"))
            assert backup.code == 0, backup.err
            assert open_to_others(home.root) == []
            daemon.signal(signal.SIGHUP)
            await daemon.stop()
        assert open_to_others(home.root) == []
        secrets["own"] = (home.state / "token_secret").read_text().strip()
        assert told(daemon, secrets) == []
        assert "Traceback" in daemon.output, "a life without a crash proves nothing of tracebacks"


async def _linked(client: Client) -> dict[str, str]:
    """A session linked by QR code and one by pairing code; the codes."""
    await client.session_create("vendas")
    await until_status(client, "vendas", "qrcode")
    qr = (await client.session_qr("vendas")).code
    await client.simulator_scan("vendas")
    await until_status(client, "vendas", "ready")
    await client.session_create("loja")
    await until_status(client, "loja", "qrcode")
    pair_code = (await client.session_pair_code("loja", "5511999990002")).code
    return {"qr": qr, "pair_code": pair_code}


async def _talked(client: Client, directory: Path) -> None:
    picture = directory / "picture.png"
    picture.write_bytes(os.urandom(5000))
    stored = await client.put_media(picture)
    file = {"sha256": stored.sha256, "mime_type": "image/png", "file_name": "picture.png"}
    sent = [
        await client.message_send("vendas", ANA, text=SENT),
        await client.message_send("vendas", ANA, type="image", text=CAPTION, media=file),
    ]
    await until_all(client, "vendas", {each.message_id for each in sent}, "read")
    await client.simulator_inject("vendas", ANA, text=RECEIVED)
    await until(client, lambda _: True, types=["message.received"])
    await client.message_list(search="senha")
    await client.contact_check("vendas", [ANA])


async def _over_http(daemon: Running, home: Home) -> dict[str, str]:
    """Tokens as a header, in a URL and in a sign-in link, good ones and broken ones; the tokens."""
    made = (await home.command("token", "create", "--owner", "ana", "--role", "admin", "--sign-in-link", "--json")).json
    token, link = made["token"], made["sign_in_link"]
    broken = f"{token[:-6]}AAAAAA"
    async with httpx2.AsyncClient(base_url=daemon.url) as http:
        for bearer, status in ((token, 200), (broken, 401)):
            headers = {"Authorization": f"Bearer {bearer}"}
            assert (await http.get(f"{BASE}/sessions/", headers=headers)).status_code == status
            await http.get(f"{BASE}/messages/?search=senha&token={bearer}", headers=headers)
            await http.post(f"{BASE}/send/", headers=headers, json={"to": "nobody", "text": SENT, "type": SENT})
            await http.post(f"{BASE}/send/", headers=headers, content=SENT.encode())
        await http.get(link)
    async with listening(daemon, token) as (socket, _):
        await socket.say(f'{{"type": "send", "text": "{SENT}"')
        assert (await socket.answer())["type"] == "error"
    assert (await refused(address(daemon, token=broken)))[0] == 4401
    return {"token": token, "broken token": broken, "sign-in code": link.rpartition("=")[2]}


async def _badly_asked(home: Home) -> None:
    async with raw_line(home.socket) as line:
        await line.call("message.send", session="vendas", to=ANA, text={"x": SENT}, type=SENT)
        await line.call(SENT, text=SENT)
        await line.ask(f'{{"jsonrpc": "2.0", "method": "{SENT}'.encode() + b"\n")


async def _crashed(client: Client) -> None:
    """Each fault that leads to words in the log; the session is back after each."""
    seq = (await client.daemon_status()).last_event_seq
    for kind in ("garbage", "crash", "nack"):
        await client.simulator_fault("vendas", kind)
    await client.message_send("vendas", ANA, text=SENT)
    with trio.fail_after(40):
        await until(
            client,
            lambda event: event["data"]["status"] == "ready",
            after=seq,
            sessions=["vendas"],
            types=["session.status"],
        )


async def test_a_reload_and_a_start_that_are_refused_tell_no_secret(home: Home) -> None:
    """A password in a proxy's address, where the file is at fault elsewhere as well."""
    home.config.touch(0o600)
    home.config.chmod(0o600)
    home.configure({"web": {"proxy": "socks5://user:hunter2@proxy.example:1080", "ping_every_s": -1}})
    async with home.process() as daemon:
        assert await daemon.ended() == 2
        assert "web.ping_every_s" in daemon.output
        assert "hunter2" not in daemon.output
