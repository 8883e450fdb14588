"""Files of 1 kB, 1 MB and 50 MB, both ways: the same to the last bit, and never whole in the daemon's memory."""

import hashlib
import os
from pathlib import Path

import pytest

from pombal.control.client import Client
from tests.daemon.harness import Running
from tests.fakes.whatsapp.media import made_up
from tests.fakes.whatsapp_driver import FakeWhatsApp
from tests.web.files import hash_of_stored
from tests.web.world import ANA, ME, World, received, until_message

pytestmark = pytest.mark.system("libmagic.so.1")

SIZES = (1_000, 1_000_000, 50_000_000)
# What handling a file may cost the daemon at most: far below the largest file.
GROWTH_MAX_BYTES = 25_000_000


def rss_bytes(daemon: Running) -> int:
    return int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_files_of_all_sizes_both_ways(world: World, fake: FakeWhatsApp, tmp_path: Path) -> None:
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        await _there_and_back(client, fake, tmp_path, 2_000)  # what is loaded at first use does not count
        before = rss_bytes(daemon)
        for size_bytes in SIZES:
            await _there_and_back(client, fake, tmp_path, size_bytes)
        assert rss_bytes(daemon) - before < GROWTH_MAX_BYTES
        await daemon.stop()


async def _there_and_back(client: Client, fake: FakeWhatsApp, directory: Path, size_bytes: int) -> None:
    data = made_up(size_bytes, seed=7)
    path = directory / f"{size_bytes}.bin"
    path.write_bytes(data)
    expected = hashlib.sha256(data).hexdigest()
    stored = await client.put_media(path)
    assert stored.sha256 == expected
    file = {"sha256": stored.sha256, "mime_type": "application/octet-stream", "file_name": path.name}
    sent = await client.message_send("vendas", ANA, type="document", media=file)
    await until_message(client, sent.message_id, "delivered")
    entry = next(each for each in (await fake.do("book", account=ME))["outbound"] if each["id"] == sent.link_id)
    assert (entry["content"]["sha256"], entry["media_verified"]) == (expected, True)
    await _comes_in(client, fake, size_bytes)


async def _comes_in(client: Client, fake: FakeWhatsApp, size_bytes: int) -> None:
    media = {"size_bytes": size_bytes, "seed": 8, "mime_type": "application/octet-stream", "file_name": "x.bin"}
    content = {"type": "document", "media": media}
    link_id = (await fake.do("inbound", account=ME, sender=ANA, content=content))["ids"][0]
    message = await received(client, link_id)
    assert message.media is not None
    expected = hashlib.sha256(made_up(size_bytes, seed=8)).hexdigest()
    assert message.media.sha256 == expected
    assert await hash_of_stored(client, expected) == expected
