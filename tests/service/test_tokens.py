"""token.create: for whom it makes tokens, and who may ask."""

import pytest

from pombal.model.errors import Kind, PombalError
from tests.fakes.rooms import World
from tests.service.world import ANA, ask


async def test_a_token_that_signs_in_its_owner(world: World) -> None:
    made = await ask(world, "token.create", owner="ana", expires_s=60)
    assert made["sign_in_link"] is None
    identity = world.tokens.authenticate(made["token"])
    assert (identity.caller.owner, identity.caller.role) == ("ana", "user")


async def test_a_sign_in_link(world: World) -> None:
    made = await ask(world, "token.create", owner="ana", role="admin", sign_in_link=True)
    base, _, code = made["sign_in_link"].partition("/sign-in?code=")
    assert base == "http://127.0.0.1:8001"
    token, _ = world.tokens.redeem(code)
    assert world.tokens.authenticate(token).caller.role == "admin"


async def test_without_http_there_is_nowhere_to_sign_in(world: World) -> None:
    world.http_url = None
    with pytest.raises(PombalError) as refused:
        await ask(world, "token.create", owner="ana", sign_in_link=True)
    assert refused.value.kind == Kind.UNSUPPORTED


async def test_not_for_users(world: World) -> None:
    with pytest.raises(PombalError) as refused:
        await ask(world, "token.create", ANA, owner="bia")
    assert refused.value.kind == Kind.FORBIDDEN
