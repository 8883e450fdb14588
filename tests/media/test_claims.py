"""Claims: a file is put on the shelf or taken off it, never both at once."""

import trio
from trio.testing import wait_all_tasks_blocked

from pombal.media.claims import Claims


async def test_what_is_arriving_is_not_free_to_go() -> None:
    claims = Claims()
    async with claims.arriving("a"), claims.arriving("a"), claims.leaving(["a", "b"]) as free:
        assert free == ["b"]
    async with claims.leaving(["a"]) as free:
        assert free == ["a"]


async def test_what_is_leaving_is_not_free_to_go_twice() -> None:
    claims = Claims()
    async with claims.leaving(["a"]), claims.leaving(["a", "b"]) as free:
        assert free == ["b"]


async def test_whoever_arrives_waits_until_it_has_left() -> None:
    claims, order = Claims(), list[str]()

    async def arrive(name: str) -> None:
        async with claims.arriving(name):
            order.append(f"arrived {name}")

    async with trio.open_nursery() as nursery, claims.leaving(["a"]):
        nursery.start_soon(arrive, "a")
        nursery.start_soon(arrive, "b")
        await wait_all_tasks_blocked()
        order.append("left")
    assert order == ["arrived b", "left", "arrived a"]


async def test_a_failure_lets_go() -> None:
    claims = Claims()
    for claim in (claims.arriving("a"), claims.leaving(["a"])):
        try:
            async with claim:
                raise OSError
        except OSError:
            pass
    async with claims.leaving(["a"]) as free:
        assert free == ["a"]
    async with claims.arriving("a"):
        assert True
