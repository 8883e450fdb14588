"""Who gets in, who stays out, and that no other site can make a browser change anything."""

import pytest

from pombal.auth.cookies import COOKIE
from pombal.dashboard.guard import FORM_TOKEN, form_token, safe_path
from pombal.dashboard.pages import all_pages
from pombal.model.caller import Role
from tests.dashboard.conftest import DAY_S, Browser, Sign
from tests.fakes.rooms import World
from tests.service.world import ready

PUBLIC = {page.path for page in all_pages() if page.is_public}


def filled(path: str) -> str:
    for name in ("session", "chat", "id", "action"):
        path = path.replace(f"{{{name}:path}}", "x").replace(f"{{{name}}}", "x")
    return path


@pytest.mark.parametrize("page", [page for page in all_pages() if not page.is_public], ids=lambda page: page.path)
async def test_without_a_token_every_page_leads_to_the_door(sign_in: Sign, page: object) -> None:
    nobody = sign_in(None)
    path, method = filled(page.path), page.method  # type: ignore[attr-defined]
    answer = await nobody.http.request(method, path)
    if method == "GET":
        assert (answer.status_code, answer.headers["location"][:8]) == (303, "/sign-in")
    else:
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "page", [page for page in all_pages() if page.method == "POST" and not page.is_public], ids=lambda page: page.path
)
async def test_a_change_needs_the_form_of_this_sign_in(admin: Browser, page: object) -> None:
    path = filled(page.path)  # type: ignore[attr-defined]
    for fields in ({}, {FORM_TOKEN: "0" * 64}, {FORM_TOKEN: form_token("another token")}):
        assert (await admin.http.post(path, data=fields)).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
@pytest.mark.parametrize("path", ["/sign-in", "/preferences", "/sign-out", "/new-session"])
async def test_a_form_on_another_site_changes_nothing(admin: Browser, path: str, headers: dict[str, str]) -> None:
    answer = await admin.post(path, {"token": admin.token, "name": "x"}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_token_is_pasted_and_kept_where_scripts_do_not_see_it(sign_in: Sign) -> None:
    nobody, token = sign_in(None), sign_in().token
    answer = await nobody.http.post("/sign-in", data={"token": f"  {token} ", "next": "/latency?since=1h"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/latency?since=1h")
    kept = answer.headers["set-cookie"]
    assert kept.startswith(f"{COOKIE}={token};")
    assert "HttpOnly" in kept
    assert "SameSite=strict" in kept
    assert (await nobody.http.get("/latency")).status_code == 200


async def test_a_bad_token_is_refused_in_words(sign_in: Sign) -> None:
    answer = await sign_in(None).http.post("/sign-in", data={"token": "x.y.z"})
    assert answer.status_code == 401
    assert "This token is not valid" in answer.text
    assert "set-cookie" not in answer.headers


async def test_who_was_signed_in_is_told_that_it_has_ended(sign_in: Sign) -> None:
    words = "Seu acesso terminou"
    nobody = sign_in(None, language="pt-BR")
    assert words not in await nobody.get("/sign-in")
    assert words in await nobody.get("/sign-in?ended=1&next=/latency")
    assert words in await nobody.get("/sign-in", Cookie=f"{COOKIE}=x.y.z")
    assert words not in await sign_in(language="pt-BR").get("/sign-in?ended=1")


async def test_a_link_signs_in_once_and_looking_at_it_spends_nothing(sign_in: Sign, world: World) -> None:
    code = world.deps.tokens.sign_in_code("ana", Role.USER, DAY_S)
    nobody = sign_in(None)
    for _ in range(2):
        assert code in (await nobody.http.get("/sign-in", params={"code": code})).text
    first = await nobody.http.post("/sign-in", data={"code": code})
    assert (first.status_code, first.headers["location"]) == (303, "/")
    second = await sign_in(None).http.post("/sign-in", data={"code": code})
    assert (second.status_code, "has been used" in second.text) == (401, True)


async def test_signing_out_forgets_the_cookie(admin: Browser) -> None:
    answer = await admin.post("/sign-out")
    assert f'{COOKIE}=""; ' in answer.headers["set-cookie"]


async def test_a_user_sees_their_own_sessions_alone(sign_in: Sign, world: World) -> None:
    await ready(world, "loja", "ana")
    await ready(world, "clinica", "bia")
    ana = sign_in("ana", Role.USER)
    page = await ana.get("/sessions?owner=bia")
    assert "loja" in page
    assert "clinica" not in page
    assert "Machine room" not in page
    await ana.get("/sessions/clinica", 404)
    await ana.get("/sessions/clinica/chats", 404)
    await ana.get("/machine", 403)
    assert (await ana.post("/sessions/clinica/do/stop")).status_code == 404


async def test_every_answer_says_what_a_browser_may_do_with_it(admin: Browser, sign_in: Sign) -> None:
    asked = ((admin, "/sessions"), (admin, "/messages/1"), (sign_in(None), "/sign-in"))
    for answer in [await browser.http.get(path) for browser, path in asked]:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/latency?since=1h", "/latency?since=1h"), (None, "/"), ("", "/"), ("//evil.test", "/"), ("/\\evil.test", "/"),
        ("https://evil.test", "/"), ("javascript:alert(1)", "/"), ("/a\nb", "/"),
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(path: str | None, safe: str) -> None:
    assert safe_path(path) == safe
