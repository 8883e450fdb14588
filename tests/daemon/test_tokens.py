"""Tokens against a running daemon: made at the command line, good after a restart."""

import stat

from pombal.auth.keys import load_keys
from pombal.auth.tokens import Tokens
from pombal.config.settings import AuthSettings
from tests.daemon.harness import Home


async def test_a_token_outlives_the_daemon_that_made_it(home: Home) -> None:
    async with home.daemon() as daemon:
        made = (await home.command("token", "create", "--owner", "ana", "--json")).json
        assert made["token"] not in daemon.output
        await daemon.stop()
    async with home.daemon() as daemon:
        second = (await home.command("token", "create", "--owner", "ana", "--sign-in-link", "--json")).json
        assert second["sign_in_link"].startswith(f"{daemon.url}/sign-in?code=")
        await daemon.stop()
    path = home.state / "token_secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    tokens = Tokens(load_keys(AuthSettings(), path), AuthSettings)
    assert all(tokens.authenticate(each["token"]).caller.owner == "ana" for each in (made, second))


async def test_a_bad_key_refuses_the_start(home: Home) -> None:
    (home.root / "short").touch(0o600)
    (home.root / "short").write_text("secret")
    home.configure({"auth": {"secret_file": str(home.root / "short")}})
    async with home.process() as daemon:
        assert await daemon.ended() == 1
        assert "at least 32" in daemon.output
