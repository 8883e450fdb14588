"""What is refused is told in words: in the visitor's language, with what to do, and as a page whatever refused it."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from starlette.responses import Response

from pombal.auth.cookies import COOKIE
from pombal.dashboard.error_pages import ErrorPages
from pombal.dashboard.refusals import explain
from pombal.dashboard.site import Site
from pombal.dashboard.words import LANGUAGES, words_of
from pombal.model.caller import Role
from pombal.model.errors import Kind, PombalError, not_found
from tests.dashboard.conftest import HEALTH, Browser, Sign
from tests.fakes.rooms import World
from tests.service.world import ask, ready

THREAD = "/sessions/ana/chats/5511922220000@s.whatsapp.net"
PORTUGUESE: dict[str, list[tuple[dict[str, str], int, str]]] = {
    "/new-session": [
        ({"name": "UPPER"}, 422, "Um nome tem de 1 a 64 letras minúsculas"),
        ({"name": "ana"}, 409, "Uma sessão já tem esse nome"),
        ({"name": "nuvem", "link": "cloud"}, 501, "Este canal não pode ser usado aqui"),
        ({"name": "fone", "link": "simulator", "phone_number": "12"}, 422, "Isto não é um número de telefone"),
    ],
    "/sessions/ana/chats": [
        ({"to": "12", "text": "oi"}, 200, "Isto não é um número de telefone"),
        ({"to": "5511922220000"}, 200, "Escreva algo, ou escolha um arquivo"),
        ({"to": "5511922220000", "text": "x" * 65_537}, 200, "O texto tem mais que os 65.536 caracteres"),
    ],
    "/sessions/ana/link": [({"phone_number": "5511922220000"}, 200, "Só há código enquanto a sessão mostra")],
    "/sessions/ana/scan": [({}, 423, "A sessão não mostra código agora")],
    "/sessions/nada/do/start": [({}, 404, "Não há sessão com esse nome")],
    "/messages/77/resend": [({}, 404, "Não há essa mensagem")],
}
ASKED = {
    "/messages?since=ontem": "Isto não é um horário",
    "/messages?status=nova": "Não existe essa situação",
    "/messages?direction=x": "Não existe esse sentido",
    "/messages?message_type=x": "Não existe esse tipo",
    "/messages?cursor=x": "Este ponto da lista não existe",
    "/sessions?cursor=x": "Este ponto da lista não existe",
    "/machine?cursor=x": "Este ponto da lista não existe",
}


@pytest.mark.parametrize("path", PORTUGUESE)
async def test_a_form_is_refused_in_the_language_of_whoever_sent_it(sign_in: Sign, world: World, path: str) -> None:
    await ready(world)
    browser = sign_in(language="pt-BR")
    for fields, status, words in PORTUGUESE[path]:
        answer = await browser.post(path, fields)
        assert (answer.status_code, words in answer.text) == (status, True), answer.text
        assert 'class="daemon-says"' not in answer.text, "English beside words that say as much"


@pytest.mark.parametrize("path", ASKED)
async def test_an_address_that_asks_for_what_is_not_there_is_refused_in_words_too(sign_in: Sign, path: str) -> None:
    page = await sign_in(language="pt-BR").get(path, 422)
    assert ASKED[path] in page
    assert 'class="daemon-says"' not in page


async def test_a_session_that_takes_no_messages_says_why_in_that_language(sign_in: Sign, world: World) -> None:
    await ready(world)
    await ask(world, "session.stop", name="ana")
    answer = await sign_in(language="pt-BR").post(THREAD, {"text": "oi"})
    assert "Foi parada. Inicie-a." in answer.text


async def test_a_form_of_another_sign_in_and_of_another_site(admin: Browser) -> None:
    stale = await admin.http.post("/new-session", data={"name": "x"})
    assert (stale.status_code, "The form is from another sign-in" in stale.text) == (403, True)
    other = await admin.post("/new-session", {"name": "x"}, headers={"Origin": "http://evil.test"})
    assert (other.status_code, "Another site asks for this" in other.text) == (403, True)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_refusal_has_a_heading_and_what_to_do(language: str, kind: Kind) -> None:
    refusal = explain(words_of(language), PombalError(kind, "the daemon's own words"), "daemon.reload")
    assert refusal.title
    assert refusal.text
    assert refusal.detail == "the daemon's own words"


def test_the_daemons_own_words_stand_where_there_are_none_in_particular() -> None:
    words = words_of("en")
    assert explain(words, not_found("no session 'x'"), "session.get").detail is None
    partly = PombalError(Kind.INVALID, "a: b; c: d", errors=[{"field": "name"}, {"field": "settings.seed"}])
    assert explain(words, partly, "session.update").detail == "a: b; c: d"


# Outside the dashboard's own pages


@pytest.fixture
async def person(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody signed in, before an application that refuses, by the path, with problem details."""
    app = FastAPI()

    @app.get("/{path:path}", response_model=None)
    async def refuse(path: str) -> Response:
        status = int(path.rpartition("/")[2])
        kinds = {404: "not_found", 413: "too_large", 500: "crashed", 503: "shutting_down"}
        told = {"status": status, "kind": kinds[status], "detail": "<b>why</b>"}
        headers = {"Content-Type": "application/problem+json", "Retry-After": "1"}
        return Response(json.dumps(told), status, headers)

    site = Site(world.service, world.deps.tokens, world.live, lambda: HEALTH, world.clock)
    transport = httpx2.ASGITransport(ErrorPages(app, site))
    cookies = {COOKIE: world.deps.tokens.create("root", Role.ADMIN, 60)[0]}
    async with httpx2.AsyncClient(transport=transport, base_url="http://pombal.test", cookies=cookies) as http:
        yield http


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "Não há nada aqui"), (413, "É grande demais"), (500, "Algo quebrou"), (503, "O daemon está encerrando")],
)
async def test_a_person_gets_a_page_and_a_program_problem_details(
    person: httpx2.AsyncClient, status: int, words: str
) -> None:
    page = await person.get(f"/{status}", headers={"Accept": "text/html,*/*;q=0.8", "Accept-Language": "pt-BR"})
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert words in page.text
    assert "&lt;b&gt;why" in page.text
    assert "Sair" in page.text, "whoever is signed in keeps the menu"
    assert page.headers["retry-after"] == "1"
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert ("data-retry" in page.text) == (status == 503)
    for path, accept in ((f"/{status}", "*/*"), (f"/api/v1/{status}", "text/html")):
        program = await person.get(path, headers={"Accept": accept})
        assert program.headers["content-type"] == "application/problem+json"
