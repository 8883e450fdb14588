"""WhatsApp Web leaves neither files open to others nor secrets in the log: the gateway's, and its library's in Go."""

import os
import signal
from pathlib import Path

import pytest

from tests.daemon.secrecy import open_to_others, told
from tests.daemon.test_secrecy import CAPTION, RECEIVED, SENT, a_generous_umask
from tests.fakes.whatsapp_driver import FakeWhatsApp
from tests.web.files import hash_of_stored
from tests.web.world import ANA, ME, World, gateways, last_seq, received, until_message, until_status

pytestmark = pytest.mark.system("libmagic.so.1")


async def test_a_gateway_s_life_leaves_nothing_open_and_nothing_told(world: World, fake: FakeWhatsApp) -> None:
    await fake.do("person", user=ANA)
    with a_generous_umask():
        async with world.daemon() as daemon, daemon.client() as client:
            await client.session_create("vendas")
            await until_status(client, "vendas", "qrcode")
            qr = (await client.session_qr("vendas")).code
            await fake.do("scan", qr=qr, user=ME)
            await until_status(client, "vendas", "ready")
            picture = world.home.root / "picture.png"
            picture.write_bytes(os.urandom(5000))
            stored = await client.put_media(picture)
            file = {"sha256": stored.sha256, "mime_type": "image/png", "file_name": "picture.png"}
            for content in ({"text": SENT}, {"type": "image", "text": CAPTION, "media": file}):
                sent = await client.message_send("vendas", ANA, **content)
                await until_message(client, sent.message_id, "delivered")
            media = {"size_bytes": 1000, "seed": 1, "mime_type": "image/jpeg"}
            content = {"type": "image", "media": media, "text": RECEIVED}
            link_id = (await fake.do("inbound", account=ME, sender=ANA, content=content))["ids"][0]
            message = await received(client, link_id)
            assert message.media is not None
            await hash_of_stored(client, message.media.sha256)
            assert open_to_others(world.home.root) == []
            seq = await last_seq(client)
            gateways(daemon)[0].signal(signal.SIGKILL)  # what it writes at its next start counts, too
            await until_status(client, "vendas", "ready", after=seq)
            assert open_to_others(world.home.root) == []
            await daemon.stop()
        assert open_to_others(world.home.root) == []
        assert _keys(world.home.state) != []
        secrets = {"sent": SENT, "received": RECEIVED, "caption": CAPTION, "qr": qr.partition("#")[2] or qr}
        assert told(daemon, secrets) == []


def _keys(state: Path) -> list[Path]:
    """The databases with the sessions' keys: what this test is about most of all."""
    return [path for path in (state / "web").rglob("*") if path.is_file() and path.stat().st_size]
