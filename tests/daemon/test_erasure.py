"""A contact erased from a daemon at work: nothing of them in any byte below its state directory, kill -9 or not."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import trio

from pombal.control.client import Client
from tests.daemon.books import check_database
from tests.daemon.harness import WAIT_S, Home, Settings, ready_session, until, until_all

WHOM, OTHER = "5511987650001", "5511987650002"
SPELLINGS = (WHOM, "551187650001")
SECRETS = ("alvejado segredissimo", "Resposta ao alvejado", "ção confidencialíssima")
SETTINGS: Settings = {"simulator": {"durable": True}}


def traces(state: Path, *texts: str) -> list[tuple[str, str]]:
    """(file, text) wherever one of the texts, or its words in the search index, is in the bytes of a file."""
    wanted = {word for text in texts for word in (text, *text.split(), *text.lower().split()) if len(word) > 3}
    encoded = [(word, word.encode(encoding)) for word in wanted for encoding in ("utf-8", "utf-16-le", "utf-16-be")]
    return [
        (str(path.relative_to(state)), word)
        for path, data in files_of(state)
        for word, needle in encoded
        if needle in data
    ]


def files_of(state: Path) -> Iterator[tuple[Path, bytes]]:
    for directory, _, names in os.walk(state):
        for name in names:
            path = Path(directory) / name
            if path.is_file():
                yield path, path.read_bytes()


async def talked_to(client: Client, session: str) -> tuple[str, ...]:
    """Conversations with two people, files among them; by which names the first one is known."""
    await ready_session(client, session)
    for text in SECRETS:
        await client.simulator_inject(session, WHOM, text=text)
        await client.simulator_inject(session, OTHER, text="bom dia, quero um violão")
    stored = await client.put_media(b"the picture of " + WHOM.encode())
    media = {"sha256": stored.sha256, "mime_type": "image/png", "file_name": f"{WHOM}.png"}
    sent = [await client.message_send(session, WHOM, type="image", text=SECRETS[1], media=media)]
    sent += [await client.message_send(session, WHOM, text=f"{SECRETS[0]} {number}") for number in range(10)]
    sent += [await client.message_send(session, OTHER, text=f"o número é {WHOM}, ligue já")]
    await until_all(client, session, {message.message_id for message in sent}, "read")
    await until_received(client, session, 2 * len(SECRETS))
    page = await client.message_list(session=session, contact_number=WHOM, direction="inbound")
    (message, *_) = page.results
    assert message.contact_name is not None
    assert message.contact_lid is not None
    return message.contact_name, message.contact_lid.partition("@")[0]


async def until_received(client: Client, session: str, count: int) -> None:
    seen: set[int] = set()

    def last(event: dict[str, object]) -> bool:
        seen.add(event["seq"])  # type: ignore[arg-type]
        return len(seen) >= count

    await until(client, last, sessions=[session], types=["message.received"])


async def test_nothing_is_left_below_the_state_directory(home_with: Callable[[Settings], Home]) -> None:
    home = home_with(SETTINGS)
    async with home.daemon() as daemon, daemon.client() as client:
        names = await talked_to(client, "vendas")
        assert traces(home.state, WHOM)
        with trio.fail_after(WAIT_S):
            done = await client.contact_erase(WHOM)
        assert done.state == "done"
        assert traces(home.state, *SPELLINGS, *names, *SECRETS) == []
        assert done.removed["media_files"] == 1
        assert done.removed["messages"] == len(SECRETS) + 11
        assert done.removed["mentions"] == 1
        assert done.removed["simulator"] > len(SECRETS)
        kept = await client.message_list(session="vendas", search="ligue")
        assert [message.text_content for message in kept.results] == ["o número é [erased], ligue já"]
        await client.simulator_inject("vendas", WHOM, text="de novo")
        page = await until_listed(client, WHOM)
        assert page == ["de novo"]
        await daemon.stop()
    check_database(home.database)


async def test_what_the_simulator_left_behind_is_cleaned_too(home_with: Callable[[Settings], Home]) -> None:
    home = home_with(SETTINGS)
    async with home.daemon() as daemon, daemon.client() as client:
        names = await talked_to(client, "vendas")
        await daemon.stop()
    home.configure({"simulator": {"enabled": False}, "sessions": {"default_link": "web"}})
    async with home.daemon() as daemon, daemon.client() as client:
        with trio.fail_after(WAIT_S):
            done = await client.contact_erase(WHOM)
        assert (done.state, done.not_reached) == ("done", [])
        assert traces(home.state, *SPELLINGS, *names, *SECRETS) == []
        await daemon.stop()


async def until_listed(client: Client, number: str) -> list[str | None]:
    await until(client, lambda event: event["data"].get("text_content") == "de novo", types=["message.received"])
    return [message.text_content for message in (await client.message_list(contact_number=number)).results]


async def test_killed_half_way_it_is_finished_by_the_next_life(home_with: Callable[[Settings], Home]) -> None:
    home = home_with(SETTINGS)
    async with home.daemon() as daemon, daemon.client() as client:
        names = await talked_to(client, "vendas")
        begun = await client.contact_erase(WHOM, wait_s=0.0)
        await daemon.kill()
    async with home.daemon() as daemon, daemon.client() as client:
        with trio.fail_after(WAIT_S):
            again = await client.contact_erase(WHOM)
            assert (await client.contact_erasure(begun.erasure)).state == again.state == "done"
        noted = (await client.audit_list(method="contact.erase")).results
        assert [(entry.outcome, entry.caller.uid) for entry in noted] == [("ok", os.getuid())] * 2
        assert traces(home.state, *SPELLINGS, *names, *SECRETS) == []
        await daemon.stop()
    check_database(home.database)
