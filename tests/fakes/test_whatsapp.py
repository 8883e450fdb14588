"""The fake WhatsApp network with the real client: unmodified neonize, without Pombal between them."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.fakes.json_process import JsonProcess, Refused, running
from tests.fakes.whatsapp_driver import LAUNCHER, ROOT, FakeWhatsApp, fake_whatsapp

pytestmark = pytest.mark.system("libmagic.so.1")

ME, ANA, BIA = "5511999990001", "5511988880002", "5521977770003"
WORKER = ROOT / "tests/fakes/whatsapp/neonize_worker.py"


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeWhatsApp]:
    async with fake_whatsapp(tmp_path / "fake") as running_fake:
        yield running_fake


@asynccontextmanager
async def client(fake: FakeWhatsApp, directory: Path, *, proxy: str | None = None) -> AsyncIterator[JsonProcess]:
    config = {
        "db": str(directory / "keys.db"), "root_key": fake.listening["root_key"],
        "proxy": proxy or fake.listening["proxy"],
    }  # fmt: skip
    env = os.environ | {"SSL_CERT_FILE": fake.listening["ca_file"], "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-P", str(WORKER), json.dumps(config)]
    async with running(command, cwd=directory, env=env) as process, trio.open_nursery() as nursery:
        worker = JsonProcess(process)
        nursery.start_soon(worker.read)
        yield worker
        nursery.cancel_scope.cancel()


async def linked(fake: FakeWhatsApp, worker: JsonProcess, user: str = ME) -> None:
    code = (await worker.until("qr"))["code"]
    await fake.do("scan", qr=code, user=user)
    await worker.until("connected")
    await fake.until("prekeys", user=user)


async def test_a_device_is_linked_by_qr_and_both_sides_write_and_read(fake: FakeWhatsApp, tmp_path: Path) -> None:
    await fake.do("person", user=ANA)
    async with client(fake, tmp_path) as worker:
        await linked(fake, worker)
        sent = await worker.do("send", to=ANA, text="bom dia")
        assert (await fake.until("message", id=sent["id"]))["content"] == {"type": "text", "text": "bom dia"}
        await worker.until("receipt", ids=[sent["id"]])
        seen = len(worker.events)
        await fake.do("receipt", account=ME, sender=ANA, ids=[sent["id"]], type="read")
        await worker.until("receipt", ids=[sent["id"]], after=seen)
        got = (await fake.do("inbound", account=ME, sender=ANA, text="tudo bem?"))["ids"][0]
        assert (await worker.until("message", id=got))["text"] == "tudo bem?"
        await worker.do("read", chat=ANA, ids=[got])
        await fake.do("wait", account=ME, acknowledged=1, read=1, received=1)
        pages = await fake.do("book", account=ME)
        assert [(entry["id"], entry["stanzas"], entry["opened"]) for entry in pages["outbound"]] == [(sent["id"], 1, 1)]
        assert [(entry["id"], entry["read"]) for entry in pages["inbound"]] == [(got, 1)]


async def test_a_device_is_linked_by_its_code_typed_on_the_phone(fake: FakeWhatsApp, tmp_path: Path) -> None:
    async with client(fake, tmp_path) as worker:
        await worker.until("qr")
        code = (await worker.do("pair_code", phone=ME))["code"]
        await fake.until("code_requested", user=ME)
        await fake.do("enter_code", user=ME, code=code)
        await worker.until("connected")


async def test_a_wrong_code_links_nothing(fake: FakeWhatsApp, tmp_path: Path) -> None:
    async with client(fake, tmp_path) as worker:
        await worker.until("qr")
        code = (await worker.do("pair_code", phone=ME))["code"]
        await fake.do("enter_code", user=ME, code="AAAA-AAAA" if code != "AAAA-AAAA" else "BBBB-BBBB")
        await fake.until("code_wrong", user=ME)
        assert not fake.all("paired")


async def test_what_was_not_acknowledged_comes_again_after_a_restart(fake: FakeWhatsApp, tmp_path: Path) -> None:
    async with client(fake, tmp_path) as worker:
        await linked(fake, worker)
        await worker.do("stop")
    ids = (await fake.do("inbound", account=ME, sender=ANA, text="oi", count=5))["ids"]
    async with client(fake, tmp_path, proxy=fake.listening["proxy"].replace("http", "socks5")) as worker:
        for each in ids:
            await worker.until("message", id=each)
        await worker.until("offline_done")
        await fake.do("wait", account=ME, acknowledged=5)
        assert not worker.all("qr")


async def test_groups_work_both_ways(fake: FakeWhatsApp, tmp_path: Path) -> None:
    group = (await fake.do("group", subject="Equipe", participants=[ME, ANA, BIA]))["id"]
    async with client(fake, tmp_path) as worker:
        await linked(fake, worker)
        for sender, text in ((ANA, "um"), (ANA, "dois"), (BIA, "três")):
            got = (await fake.do("inbound", account=ME, sender=sender, text=text, group=group))["ids"][0]
            assert (await worker.until("message", id=got, text=text))["chat"] == group
        for text in ("quatro", "cinco"):
            sent = await worker.do("send", to=group.partition("@")[0], server="g.us", text=text)
            assert (await fake.until("message", id=sent["id"], to=ANA))["content"]["text"] == text
            await worker.until("receipt", ids=[sent["id"]])
        pages = await fake.do("book", account=ME)
        assert [entry["opened"] for entry in pages["outbound"]] == [2, 2]


async def test_two_accounts_write_to_each_other(fake: FakeWhatsApp, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with client(fake, tmp_path / "one") as one, client(fake, tmp_path / "two") as two:
        await linked(fake, one, ME)
        await linked(fake, two, ANA)
        sent = await one.do("send", to=ANA, text="de um aparelho")
        assert (await two.until("message", id=sent["id"]))["text"] == "de um aparelho"
        back = await two.do("send", to=ME, text="a outro")
        assert (await one.until("message", id=back["id"]))["text"] == "a outro"


async def test_media_lookups_history_and_the_phones_own_messages(fake: FakeWhatsApp, tmp_path: Path) -> None:
    await fake.do("person", user="551188887777")  # registered before the ninth digit
    async with client(fake, tmp_path) as worker:
        await linked(fake, worker)
        found = (await worker.do("exists", numbers=["5511988887777", "5511900000000"]))["found"]
        assert [each["in"] for each in found] == [True, False]
        await fake.do("person", user=ANA)
        sent = await worker.do("image", to=ANA, size_bytes=200_000)
        content = (await fake.until("message", id=sent["id"]))["content"]
        assert (content["sha256"], content["size_bytes"]) == (sent["sha256"], 200_000)
        own = (await fake.do("device", account=ME, to=ANA, text="do celular"))["ids"][0]
        assert (await worker.until("message", id=own))["own"]
        chats = [
            {"with": BIA, "messages": [{"id": "OLD1", "text": "antes"}, {"id": "OLD2", "text": "eu", "from_me": True}]}
        ]
        await fake.do("history", account=ME, conversations=chats)
        await worker.until("history", chats=1)
        await fake.do("history", account=ME, conversations=chats * 2, inline=False, recent=True)
        await worker.until("history", chats=2)


async def test_what_could_not_be_read_is_written_again(fake: FakeWhatsApp, tmp_path: Path) -> None:
    await fake.do("person", user=ANA)
    async with client(fake, tmp_path) as worker:
        await linked(fake, worker)
        got = (await fake.do("inbound", account=ME, sender=ANA, text="quebrada", broken=True))["ids"][0]
        await worker.until("undecryptable", id=got)
        assert (await worker.until("message", id=got))["text"] == "quebrada"
        sent = await worker.do("send", to=ANA, text="de novo")
        await fake.until("message", id=sent["id"])
        await fake.do("demand_again", account=ME, sender=ANA, id=sent["id"])
        with trio.fail_after(100):
            while (await fake.do("book", account=ME))["outbound"][0]["stanzas"] < 2:
                await fake.do("counts", account=ME)


@pytest.mark.parametrize(
    ("command", "params", "told"),
    [
        ("stream_error", {"code": 503}, "disconnected"),
        ("stream_error", {"conflict": "replaced"}, "replaced"),
        ("remove_device", {}, "logged_out"),
    ],
)
async def test_streams_that_end(
    fake: FakeWhatsApp, tmp_path: Path, command: str, params: dict[str, Any], told: str
) -> None:
    async with client(fake, tmp_path) as worker:
        await linked(fake, worker)
        await fake.do(command, account=ME, **params)
        await worker.until(told)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ({"reason": 402, "code": 101, "expire": 3600}, "temporary_ban"),
        ({"reason": 405}, "outdated"),
    ],
)
async def test_logins_that_fail(fake: FakeWhatsApp, tmp_path: Path, failure: dict[str, int], told: str) -> None:
    async with client(fake, tmp_path) as worker:
        await linked(fake, worker)
        await fake.do("fail_logins", account=ME, failure=failure)
        await fake.do("cut", account=ME)
        await worker.until(told)


async def test_refused_sends_a_passkey_a_network_that_is_down_and_logout(fake: FakeWhatsApp, tmp_path: Path) -> None:
    await fake.do("person", user=ANA)
    await fake.do("passkey", user=BIA)
    async with client(fake, tmp_path) as worker:
        code = (await worker.until("qr"))["code"]
        await fake.do("scan", qr=code, user=BIA)
        await fake.until("passkey_asked")
    async with client(fake, tmp_path) as worker:
        await linked(fake, worker)
        await fake.do("nack", account=ME, code=463)
        with pytest.raises(Refused, match="463"):
            await worker.do("send", to=ANA, text="fria")
        await fake.do("network", up=False)
        await worker.until("disconnected")
        seen = len(worker.events)
        await fake.do("network", up=True)
        await worker.until("connected", after=seen)
        await worker.do("logout")
        await fake.until("unlinked", user=ME)
        assert (await fake.do("status"))["people"][ME] == []


def test_the_launcher_refuses_a_library_that_it_does_not_know() -> None:
    code = "import runpy, sys; runpy.run_path(sys.argv[1])['patch'](bytes(32))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(LAUNCHER)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "is there 0 times, not once" in done.stderr
