"""`pombal serve --demo`: what the README promises for a minute after the install."""

import os
import re

import httpx2

from pombal.app.demo import SESSIONS
from pombal.control.client import connect
from tests.daemon.harness import COMMAND, WAIT_S, Home, until

BANNER = "are ready and talking"


async def test_the_demo_is_scanned_talks_and_delivers(home: Home) -> None:
    demo = [*COMMAND, "serve", "--demo", "--config", str(home.config), "--state-dir", str(home.state)]
    home.configure({"daemon": {"runtime_dir": str(home.root / "run")}})
    async with home.daemon(command=demo) as daemon:
        async with connect(home.socket) as client:
            for name in SESSIONS:
                await until(client, lambda event: event["data"]["status"] == "ready", sessions=[name],
                            types=["session.status"])  # fmt: skip
            await until(client, lambda _: True, types=["message.received"])
            await until(client, lambda event: event["data"]["status"] == "delivered", types=["message.status"])
            page = await client.session_list()
        assert {session.name for session in page.results} == set(SESSIONS)
        assert all(session.status == "ready" and session.link == "simulator" for session in page.results)
        banner = daemon.output
        assert BANNER in banner
        assert f"POMBAL_SOCKET={home.socket}" in banner
        assert str(home.database) in banner
        (metrics,) = re.findall(r"http://\S+/metrics", banner)
        async with httpx2.AsyncClient(timeout=WAIT_S) as http:
            assert "pombal_build_info" in (await http.get(metrics)).text
            (link,) = re.findall(r"http://\S+/sign-in\?code=\S+", banner)
            page, _, code = link.partition("?code=")
            signed_in = await http.post(page, data={"code": code}, follow_redirects=True)
            assert (signed_in.status_code, signed_in.url.path) == (200, "/sessions")
            assert all(f"/sessions/{name}" in signed_in.text for name in SESSIONS)
        await daemon.stop()


async def test_the_demo_without_a_directory_makes_one_of_its_own(home: Home) -> None:
    """It must never meet a real daemon's state, whatever the configuration names."""
    demo = [*COMMAND, "serve", "--demo", "--config", str(home.config)]
    async with home.daemon(command=demo, env={"TMPDIR": str(home.root)}) as daemon:
        assert not home.state.exists()
        (made,) = home.root.glob("pombal-demo-*")
        assert (made / "pombal.db").exists()
        assert os.stat(made).st_mode & 0o777 == 0o700
        await daemon.stop()
