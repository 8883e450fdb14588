"""A start that cannot be: each refused with a reason that says what to do, an exit code, and nothing lost."""

import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.daemon.books import check_database
from tests.daemon.harness import COMMAND, Home, Settings, ready_session

NOBODY = 65_534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")


# Root writes wherever it likes, but for a root without that capability.
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


async def refusal(home: Home, code: int = 1, command: list[str] | None = None) -> str:
    """What a daemon says that does not come up: one line for each thing wrong, and no traceback."""
    async with home.process(command=command) as daemon:
        assert await daemon.ended() == code, daemon.output
        assert "Traceback" not in daemon.output
        assert not daemon.notify.told
        return daemon.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[outbox]\nwindows = 3\n", ["outbox.windows: unknown key; did you mean outbox.window?"]),
        ("[outbocks]\nwindow = 3\n", ["outbocks: unknown section or key; did you mean [outbox]?"]),
        ('[outbox]\nwindow = "3"\n', ['outbox.window: must be a whole number, not "3"']),
        ("[outbox]\nwindow = 0\n[latency]\nlog = 1\n", ["outbox.window: must be at least 1", "latency.log: must be"]),
        ("[http]\nbind = \"8001\"\n", ["http.bind: must be address:port"]),
        ("[simulator]\nsent_ms = { median = 9, p99 = 1 }\n", ["simulator.sent_ms"]),
        ("outbox = 3\n", ["outbox: must be a table"]),
        ("[outbox\n", ["line 1, column 8"]),
        ("[daemon]\nstate_dir = \"\xff\"\n", ["line 2: not UTF-8"]),
    ],
)  # fmt: skip
async def test_a_wrong_configuration_is_told_with_file_key_and_reason(home: Home, text: str, said: list[str]) -> None:
    home.config.write_bytes(text.encode("latin-1"))
    output = await refusal(home, code=2)
    assert all(f"{home.config}: {part}" in output for part in said), output
    assert not home.state.exists()


async def test_a_configuration_that_is_not_there(home: Home) -> None:
    home.config.unlink()
    assert f"{home.config}: cannot be read: No such file or directory" in await refusal(home, code=2)


async def test_a_state_directory_that_is_a_file(home: Home) -> None:
    home.state.write_text("mine")
    assert "is no directory; move it away" in await refusal(home)
    assert home.state.read_text() == "mine"


async def test_a_state_directory_that_cannot_be_written(home: Home) -> None:
    home.state.mkdir(0o500)
    output = await refusal(home, command=[*UNPRIVILEGED, *COMMAND, "serve", "--config", str(home.config)])
    assert f"the directory {home.state} cannot be written; set [daemon] state_dir" in output


async def test_a_state_directory_that_cannot_be_made(home: Home) -> None:
    (home.root / "closed").mkdir(0o500)
    home.configure({"daemon": {"state_dir": str(home.root / "closed" / "state")}})
    output = await refusal(home, command=[*UNPRIVILEGED, *COMMAND, "serve", "--config", str(home.config)])
    assert "Permission denied" in output
    assert "create it, or set [daemon] state_dir" in output


@as_root
async def test_a_state_directory_that_is_not_ours(home: Home) -> None:
    home.state.mkdir()
    os.chown(home.state, NOBODY, NOBODY)
    output = await refusal(home)
    assert f"belongs to uid {NOBODY}, not to us" in output


async def test_a_second_daemon_on_the_same_state(home: Home) -> None:
    async with home.daemon() as daemon:
        output = await refusal(home)
        assert f"another pombal (pid {daemon.pid}) uses the state directory {home.state}" in output
        async with daemon.client() as client:
            await ready_session(client)
        await daemon.stop()


async def test_a_second_daemon_at_the_same_socket(home: Home) -> None:
    """Its own state, but another daemon's runtime directory: the socket of the first stays where it is."""
    async with home.daemon() as daemon:
        first_state, home.state = home.state, home.root / "other"
        home.configure({})
        output = await refusal(home)
        assert "uses the runtime directory" in output
        assert "[daemon] runtime_dir" in output
        async with daemon.client() as client:
            assert (await client.daemon_status()).store.path.startswith(str(first_state))
        await daemon.stop()


async def test_a_living_socket_of_somebody_else(home: Home) -> None:
    """Not by the lock, which its owner has not taken, but by its answer."""
    home.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(home.socket))
        living.listen(1)
        assert f"another daemon answers at {home.socket}" in await refusal(home)
    assert home.socket.exists()


async def test_a_dead_socket_is_replaced(home: Home) -> None:
    home.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home.socket))
    async with home.daemon() as daemon:
        async with daemon.client() as client:
            assert (await client.daemon_status()).pid == daemon.pid
        await daemon.stop()
    assert not home.socket.exists()


async def test_something_else_in_the_socket_s_place(home: Home) -> None:
    home.socket.parent.mkdir()
    home.socket.write_text("precious")
    assert "exists and is no socket; move it away" in await refusal(home)
    assert home.socket.read_text() == "precious"


async def test_a_path_too_long_for_a_socket(home: Home) -> None:
    home.configure({"daemon": {"runtime_dir": str(home.root / ("long" * 30))}})
    output = await refusal(home)
    assert "a Unix socket's may have at most 107" in output
    assert "[daemon] runtime_dir" in output


async def test_a_port_in_use(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        home.configure({"http": {"bind": f"127.0.0.1:{other.getsockname()[1]}"}})
        assert "Address already in use; stop what uses it, or set [http] bind" in await refusal(home)
    assert not home.socket.exists()


async def test_a_group_that_does_not_exist(home: Home) -> None:
    home.configure({"control": {"admin_group": "nobody-has-made-it"}})
    assert "there is no group 'nobody-has-made-it'; create it" in await refusal(home)


# The database


async def lived(home: Home) -> None:
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        await daemon.stop()


async def test_a_database_that_is_none(home: Home) -> None:
    home.state.mkdir()
    home.database.write_bytes(b"not a database at all" * 500)
    output = await refusal(home)
    assert f"{home.database} is damaged or no SQLite database" in output
    assert "pombal db restore" in output
    assert home.database.read_bytes().startswith(b"not a database")


async def test_a_database_with_a_damaged_page(home: Home) -> None:
    """The schema itself: what lies deeper is found by `pombal db check`, and by whoever reads it."""
    await lived(home)
    with home.database.open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(3000))
    damaged = home.database.read_bytes()
    assert "is damaged" in await refusal(home)
    assert home.database.read_bytes() == damaged
    checked = await home.command("db", "check", "--config", str(home.config))
    assert checked.code == 1


async def test_a_database_of_a_newer_pombal(home: Home) -> None:
    await lived(home)
    with changed(home.database) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('pombal', 'm9999_x', '2030')"
        )
    output = await refusal(home)
    assert "was written by a newer Pombal" in output
    assert "m9999_x" in output
    assert "install that version again, or restore an older backup" in output


async def test_a_database_of_another_program(home: Home) -> None:
    home.state.mkdir()
    with changed(home.database) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    assert "is a database, but not one of Pombal's" in await refusal(home)


async def test_after_a_refusal_everything_is_as_it_was(home_with: Callable[[Settings], Home]) -> None:
    home = home_with({"simulator": {"durable": True}})
    await lived(home)
    home.configure({"simulator": {"durable": True}, "http": {"bind": "nowhere.invalid:1", "behind_proxy": True}})
    assert "cannot listen on nowhere.invalid:1" in await refusal(home)
    home.configure({"simulator": {"durable": True}})
    check_database(home.database)
    async with home.daemon() as daemon, daemon.client() as client:
        assert (await client.session_get("vendas")).is_active
        await daemon.stop()


async def test_wrong_usage(home: Home) -> None:
    assert "No such option" in await refusal(home, code=2, command=[*COMMAND, "serve", "--verbos"])


@contextmanager
def changed(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection
