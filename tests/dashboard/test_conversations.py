"""Conversations over ASGI: chats, threads, what is written, what comes in, files, and messages over all chats."""

import re
from urllib.parse import quote_plus

import pytest

from pombal.model.caller import Role
from pombal.model.changes import EditMessage, RevokeMessage
from tests.dashboard.conftest import Browser, Sign
from tests.fakes.rooms import World
from tests.service.world import ask, injected, ready

CHAT = "5511922220000@s.whatsapp.net"
THREAD = f"/sessions/ana/chats/{CHAT}"
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066",
    "x" * 65_536,
)


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")


async def test_chats_with_the_last_message_and_what_is_unread(admin: Browser, world: World) -> None:
    await ready(world)
    assert "No chats yet" in await admin.get("/sessions/ana/chats")
    await injected(world, "primeira")
    await injected(world, "segunda", **{"from": "5511933330000"})
    page = await admin.get("/sessions/ana/chats")
    chats = re.findall(r'<li id="chat-([^"]+)">.*?</li>', page, re.DOTALL)
    assert chats == ["5511933330000@s.whatsapp.net", CHAT]
    assert "One unread message" in page
    found = await admin.get("/sessions/ana/chats?chat_search=5511933330000&_part=chats")
    assert "segunda" in found
    assert "primeira" not in found


async def test_a_thread_reads_from_the_oldest_down_and_older_pages_follow(admin: Browser, world: World) -> None:
    await ready(world)
    for number in range(53):
        await injected(world, f"texto {number}")
    page = await admin.get(THREAD)
    assert re.findall(r"texto (\d+)<", page.partition('data-part="thread"')[2]) == [str(n) for n in range(3, 53)]
    (before,) = set(re.findall(r"before=(\d+)", page))
    older = await admin.get(f"{THREAD}?before={before}&_part=older")
    assert re.findall(r"texto (\d+)<", older) == ["0", "1", "2"]


async def test_an_older_message_that_changed_comes_along_when_asked_for(admin: Browser, world: World) -> None:
    await ready(world)
    for number in range(51):
        await injected(world, f"texto {number}")
    page = await ask(world, "message.list", session="ana", limit=60)
    oldest = page["results"][-1]["id"]
    assert "texto 0<" not in await admin.get(f"{THREAD}?_part=thread")
    asked = await admin.get(f"{THREAD}?_part=thread&also={oldest},x,99999999999999999999")
    assert "texto 0<" in asked.partition("data-also")[2]


async def test_what_is_written_goes_out_once(admin: Browser, world: World) -> None:
    await ready(world)
    page = await admin.get(THREAD)
    (message_id,) = re.findall(r'name="message_id" value="([^"]+)"', page)
    for _ in range(2):
        answer = await admin.post(THREAD, {"text": "Olá!\n\ntudo bem?", "message_id": message_id})
        assert (answer.status_code, answer.headers["location"]) == (303, THREAD)
    listed = await ask(world, "message.list", session="ana")
    assert [message["text_content"] for message in listed["results"]] == ["Olá!\n\ntudo bem?"]
    shown = await admin.get(f"{THREAD}?_part=thread")
    assert "Olá!\n\ntudo bem?" in shown
    assert 'class="ticks is-' in shown


async def test_a_number_without_a_chat_can_be_written_to(admin: Browser, world: World) -> None:
    await ready(world)
    answer = await admin.post("/sessions/ana/chats", {"to": "+55 11 92222-0000", "text": "Oi"})
    assert answer.headers["location"] == THREAD
    refused = await admin.post("/sessions/ana/chats", {"to": "12", "text": "Oi"})
    assert 'role="alert"' in refused.text
    assert 'value="12"' in refused.text


async def test_nothing_written_and_a_session_that_cannot_are_told_in_the_page(admin: Browser, world: World) -> None:
    await ready(world)
    empty = await admin.post(THREAD, {"text": "   "})
    assert "Write something, or choose a file" in empty.text
    await ask(world, "session.stop", name="ana")
    stopped = await admin.post(THREAD, {"text": "não se perca"})
    assert 'role="alert"' in stopped.text
    assert ">não se perca</textarea>" in stopped.text


async def test_a_picture_is_sent_and_shown(admin: Browser, world: World) -> None:
    await ready(world)
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4096  # two chunks
    answer = await admin.post(THREAD, {"text": "foto"}, files={"file": ("a.png", picture, "image/png")})
    assert answer.status_code == 303
    (message,) = (await ask(world, "message.list", session="ana"))["results"]
    assert (message["message_type"], message["media"]["file_name"]) == ("image", "a.png")
    path = f"/messages/{message['id']}/media"
    assert f'<img src="{path}"' in await admin.get(THREAD)
    got = await admin.http.get(path)
    assert (got.content, got.headers["content-type"]) == (picture, "image/png")
    part = await admin.http.get(path, headers={"Range": "bytes=8-11"})
    assert (part.status_code, part.content) == (206, picture[8:12])
    assert part.headers["content-range"] == f"bytes 8-11/{len(picture)}"


@pytest.mark.parametrize("mime_type", ["text/html", "image/svg+xml", "application/pdf", "application/xhtml+xml"])
async def test_a_file_that_could_run_is_never_opened_here(admin: Browser, world: World, mime_type: str) -> None:
    await ready(world)
    await admin.post(THREAD, files={"file": ("a b.html", b"<script>alert(1)</script>", mime_type)})
    (message,) = (await ask(world, "message.list", session="ana"))["results"]
    assert message["message_type"] == "document"
    got = await admin.http.get(f"/messages/{message['id']}/media")
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20b.html"
    assert "sandbox" in got.headers["content-security-policy"]
    assert "<img" not in (await admin.get(THREAD)).partition('data-part="thread"')[2]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_whatever_somebody_writes_is_shown_as_text(admin: Browser, world: World, text: str) -> None:
    await ready(world)
    await injected(world, text)
    for path in (THREAD, "/sessions/ana/chats", "/messages", "/messages/1"):
        page = await admin.get(path)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<svg/onload" not in page
        if path in (THREAD, "/messages/1"):
            assert re.search(rf'<p class="text" dir="auto"[^>]*>{re.escape(escaped(text))}</p>', page)


async def test_messages_are_found_by_words_and_filters(admin: Browser, world: World) -> None:
    await ready(world)
    assert "No messages yet" in await admin.get("/messages")
    await injected(world, "Cadê meu pedido?")
    await world.send("Já saiu")
    assert "Cadê meu pedido?" in await admin.get("/messages?search=pedi")
    assert "Cadê" not in await admin.get("/messages?direction=outbound")
    number = quote_plus("+55 11 92222-0000")
    assert "Cadê" in await admin.get(f"/messages?search={number}")
    assert "5511922220000" in await admin.get(f"/sessions/ana/chats?chat_search={number}")
    phone = world.row("ana").phone_number or ""
    written = quote_plus(f"+{phone[:2]} ({phone[2:4]}) {phone[4:]}")
    assert "/sessions/ana" in await admin.get(f"/sessions?search={written}")
    assert "No message fits" in await admin.get("/messages?search=nada")
    assert "No message fits" in await admin.get("/messages?slow=1")
    await injected(world, "Cadê o outro?", **{"from": "5511933330000"})
    of_one = await admin.get(f"/messages?session=ana&chat_id={CHAT}")
    assert "Cadê meu pedido?" in of_one
    assert "Cadê o outro?" not in of_one
    assert f'name="chat_id" value="{CHAT}"' in of_one
    assert f"/messages?session=ana&amp;chat_id={quote_plus(CHAT)}" in await admin.get(THREAD)
    await admin.get("/messages?session=nobody", 404)


async def test_one_message_with_its_stages_and_stamps(admin: Browser, world: World) -> None:
    await ready(world)
    answer = await world.send("Olá")
    await world.until_status(answer.message.message_id, "delivered")
    page = await admin.get(f"/messages/{answer.message.id}")
    assert page.count('<rect class="stage-') == 3
    assert "Handed to the link" in page
    assert answer.message.link_id in page
    for path in ("/messages/0", "/messages/x", "/messages/99999999999999999999999"):
        await admin.get(path, 404)


async def test_a_message_that_waits_is_cancelled_and_one_that_failed_goes_again(admin: Browser, world: World) -> None:
    await ready(world)
    await ask(world, "simulator.fault", name="ana", kind="disconnect")
    await world.until("ana", "disconnected", "network")
    message = (await world.send("ainda não")).message
    assert f"/messages/{message.id}/cancel" in await admin.get(f"/messages/{message.id}")
    answer = await admin.post(f"/messages/{message.id}/cancel", {"next": THREAD})
    assert answer.headers["location"] == THREAD
    assert world.message(message.message_id).error_kind == "cancelled"
    assert f"/messages/{message.id}/resend" in await admin.get(f"/messages/{message.id}")
    await admin.post(f"/messages/{message.id}/resend")
    await world.until_status(message.message_id, "read")
    assert (await admin.post(f"/messages/{message.id}/cancel")).status_code == 409


async def test_a_chat_says_when_its_session_cannot_send_and_what_to_do(admin: Browser, world: World) -> None:
    await ready(world)
    assert "session-state" not in await admin.get(THREAD)
    await ask(world, "session.stop", name="ana")
    for path in (THREAD, "/sessions/ana/chats", f"{THREAD}?_part=state"):
        assert "It was stopped. Start it." in await admin.get(path)


async def test_a_chat_is_marked_read_when_somebody_says_so_and_not_before(admin: Browser, world: World) -> None:
    await ready(world)
    await injected(world, "oi", count=3)
    await admin.get(THREAD)
    chats = await ask(world, "chat.list", session="ana")
    assert chats["results"][0]["unread_count"] == 3
    answer = await admin.post("/sessions/ana/read", {"chat": CHAT})
    assert answer.headers["location"] == THREAD
    chats = await ask(world, "chat.list", session="ana")
    assert chats["results"][0]["unread_count"] == 0


async def test_what_was_edited_or_taken_back_says_so(admin: Browser, world: World) -> None:
    await ready(world)
    texts = ("fica", "troca", "some")
    for text in texts:
        await injected(world, text)
    rows = {each["text_content"]: each for each in (await ask(world, "message.list", session="ana"))["results"]}
    key = world.deps.registry.find("ana").key
    edited, taken_back = rows["troca"]["link_id"], rows["some"]["link_id"]
    at = world.clock()
    await world.deps.recorder.commit(EditMessage(at=at, session_key=key, chat_id=CHAT, link_id=edited, text="trocada"))
    await world.deps.recorder.commit(RevokeMessage(at=at, session_key=key, chat_id=CHAT, link_id=taken_back))
    page = await admin.get(THREAD)
    bubbles = dict(re.findall(r'<li class="bubble.*?id="m-(\d+)"(.*?)</li>', page, re.DOTALL))
    marked = {text: re.findall(r'class="mark[^>]*>([^<]+)<', bubbles[str(rows[text]["id"])]) for text in texts}
    assert marked == {"fica": [], "troca": ["edited"], "some": ["taken back"]}
    assert "trocada" in bubbles[str(rows["troca"]["id"])]
    assert ">some<" in bubbles[str(rows["some"]["id"])], "what was said stays recorded"
    listed = await admin.get("/messages")
    assert (listed.count(">edited<"), listed.count(">taken back<")) == (1, 1)
    assert "deleted it for everyone" in await admin.get(f"/messages/{rows['some']['id']}")


async def test_an_answer_and_a_reaction_show_what_they_are_about(admin: Browser, world: World) -> None:
    await ready(world)
    await injected(world, "Qual é o prazo?")
    (asked,) = (await ask(world, "message.list", session="ana"))["results"]
    for number in range(60):  # so many that it is on the page no longer
        await injected(world, f"mais {number}")
    await world.send("Dois dias", to="5511922220000", quoted_message_id=asked["message_id"])
    reaction = {"message_id": asked["message_id"], "emoji": "👍"}
    await world.send(None, to="5511922220000", type="reaction", reaction=reaction)
    page = await admin.get(THREAD)
    assert page.count(f'class="quote" href="/messages/{asked["id"]}"') == 2
    assert page.count('<span class="preview" dir="auto">Qual é o prazo?</span>') == 2
    assert '<bdi class="emoji">👍</bdi>' in page


async def test_anothers_messages_and_files_are_not_found(sign_in: Sign, world: World) -> None:
    await ready(world, "ana", "ana")
    await injected(world, "segredo")
    bia = sign_in("bia", Role.USER)
    for path in ("/messages/1", "/messages/1/media", THREAD):
        await bia.get(path, 404)
    assert "segredo" not in await bia.get("/messages")
    assert (await bia.post(THREAD, {"text": "x"})).status_code == 404
