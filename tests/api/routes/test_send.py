"""/send: texts, files and what is refused; answered once it is on disk, and never twice the same."""

import base64
import hashlib
import json
import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.api.client import BASE, TO, Http, Platform, platform
from tests.service.world import ask

TEXT = {"to": TO, "type": "text", "text": "Olá! Como posso ajudar?"}
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 20


@pytest.fixture
async def talk(dx: Platform, ana: Http) -> Http:
    await ana.ok("POST", "/sessions/start/", 201)
    await dx.world.until("ana", "ready")
    return ana


async def test_a_text(dx: Platform, talk: Http) -> None:
    queued = await talk.ok("POST", "/send/", 202, json=TEXT)
    assert (queued["status"], queued["text_content"], queued["session"]) == ("queued", TEXT["text"], "ana")
    await dx.world.until_status(queued["message_id"], "read")


async def test_the_same_fifty_times_at_once(talk: Http) -> None:
    statuses: Counter[int] = Counter()
    ids: set[int] = set()

    async def send() -> None:
        answer = await talk.post(f"{BASE}/send/", json=TEXT | {"message_id": "ticket-1"})
        statuses[answer.status_code] += 1
        ids.add(answer.json()["id"])

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(send)
    assert statuses == {202: 1, 200: 49}
    assert len(ids) == 1
    await talk.refused("POST", "/send/", 409, "conflict", json=TEXT | {"message_id": "ticket-1", "text": "outro"})


REFUSED: list[tuple[Any, int, str]] = [
    ({}, 422, "invalid"),
    ({"to": TO}, 422, "invalid"),
    ({"to": TO, "text": 1}, 422, "invalid"),
    ({"to": "nobody", "text": "oi"}, 422, "invalid"),
    (TEXT | {"type": "unknown"}, 422, "invalid"),
    (TEXT | {"session": "other"}, 404, "not_found"),
    (TEXT | {"message_id": "a b"}, 422, "invalid"),
    (TEXT | {"text": "a" * 65_537}, 413, "too_large"),
    (TEXT | {"text": "a\x00"}, 422, "invalid"),
    (TEXT | {"media": {"sha256": "0" * 64, "mime_type": "a/b"}}, 422, "invalid"),
    ({"to": TO, "type": "image", "media": {"sha256": "0" * 64, "mime_type": "a/b"}}, 422, "invalid"),
    ({"to": TO, "type": "image", "media": {"base64": "%%", "mime_type": "a/b"}}, 422, "invalid"),
    ({"to": TO, "type": "image", "media": {"base64": "", "mime_type": "a/b"}}, 422, "invalid"),
    ({"to": TO, "type": "image", "media": {}}, 422, "invalid"),
    ({"to": TO, "type": "image", "media": "x"}, 422, "invalid"),
    (TEXT | {"quoted_message_id": "none"}, 422, "invalid"),
    (7, 422, "invalid"),
    (None, 422, "invalid"),
]


async def test_what_is_refused(talk: Http) -> None:
    for body, status, kind in REFUSED:
        await talk.refused("POST", "/send/", status, kind, json=body)
    assert (await talk.ok("GET", "/messages/"))["results"] == []


async def test_a_session_that_takes_none(talk: Http) -> None:
    await talk.ok("POST", "/sessions/stop/")
    shown = await talk.refused("POST", "/send/", 423, "not_ready", json=TEXT)
    assert "stopped" in shown["detail"] or "start" in shown["detail"]


UNREADABLE = [
    (b"{", "application/json", 400, "invalid"),
    (b"\xff\xfe{}", "application/json", 400, "invalid"),
    (b'{"to": "1", "to": "2"}', "application/json", 400, "invalid"),
    (b'{"a": NaN}', "application/json", 400, "invalid"),
    (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json", 400, "invalid"),
    (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "application/json", 400, "invalid"),
    (b'{"a": ' + b"9" * 5000 + b"}", "application/json", 400, "invalid"),
    (b"to=1&text=oi", "application/x-www-form-urlencoded", 415, "unsupported"),
    (b"oi", "text/plain", 415, "unsupported"),
    (b"{}", "application/json; charset=latin-1", 415, "unsupported"),
    (b"<a/>", "application/xml", 415, "unsupported"),
    (b"\x1f\x8b", "application/json", 400, "invalid"),
]


async def test_bodies_that_are_none(talk: Http) -> None:
    for content, content_type, status, kind in UNREADABLE:
        await talk.refused("POST", "/send/", status, kind, content=content, headers={"Content-Type": content_type})


async def test_json_by_any_of_its_names(talk: Http) -> None:
    for content_type in ("application/json;charset=UTF-8", "application/vnd.dx+json", "APPLICATION/JSON"):
        body = b'{"to": "5511987654321", "text": "\\ud83d"}'  # half of an emoji
        headers = {"Content-Type": content_type}
        sent = await talk.ok("POST", "/send/", 202, content=body, headers=headers)
        assert sent["text_content"] == "\ufffd"
    answer = await talk.post(f"{BASE}/send/", content=b"{}", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


RANGES: list[tuple[str, int, bytes | None]] = [
    ("bytes=0-9", 206, PDF[:10]),
    ("bytes=10-", 206, PDF[10:]),
    ("bytes=-7", 206, PDF[-7:]),
    ("bytes=0-999999", 206, PDF),
    ("bytes=5-5", 206, PDF[5:6]),
    ("bytes=-999999", 206, PDF),
    ("bytes=9-2", 200, PDF),
    ("bytes=0-1,4-5", 200, PDF),
    ("lines=1-2", 200, PDF),
    ("bytes=", 200, PDF),
    ("bytes=-", 200, PDF),
    ("bytes=999999-", 416, None),
    ("bytes=-0", 416, None),
]
FORMS = [
    (b"", "; boundary=b", 400, "invalid"),
    (b"--b--", "", 400, "invalid"),
    (b"rubbish", "; boundary=b", 400, "invalid"),
    (b'--b\r\nContent-Disposition: form-data; name="to"\r\n\r\n55', "; boundary=b", 400, "invalid"),
    (b"--b\r\nX: y\r\n\r\n55\r\n--b--\r\n", "; boundary=b", 400, "invalid"),
    (
        b'--b\r\nContent-Disposition: form-data; name="to"\r\nX: ' + b"a" * 9000 + b"\r\n\r\n\r\n--b--",
        "; boundary=b",
        400,
        "invalid",
    ),
    (b'--b\r\nContent-Disposition: form-data; name="to"\r\n\r\n\xff\r\n--b--\r\n', "; boundary=b", 400, "invalid"),
    (b'--b\r\nContent-Disposition: form-data; name="location"\r\n\r\n{\r\n--b--\r\n', "; boundary=b", 422, "invalid"),
    (
        b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n' + b"a" * 600_000 + b"\r\n--b--\r\n",
        "; boundary=b",
        413,
        "too_large",
    ),
    (
        b'--b\r\nContent-Disposition: form-data; name="t"\r\n\r\n\r\n' * 40 + b"--b--\r\n",
        "; boundary=b",
        400,
        "invalid",
    ),
    (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\r\n--b--\r\n',
        "; boundary=b",
        422,
        "invalid",
    ),
    (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n' * 2 + b"--b--\r\n",
        "; boundary=b",
        422,
        "invalid",
    ),
]


class TestFiles:
    async def test_in_base64_and_back(self, dx: Platform, talk: Http, bia: Http) -> None:
        media = {"base64": base64.b64encode(PDF).decode(), "mime_type": "application/pdf", "file_name": "é.pdf"}
        body = {"to": TO, "type": "document", "text": "Segue o boleto", "media": media, "message_id": "b1"}
        sent = await talk.ok("POST", "/send/", 202, json=body)
        sha256 = hashlib.sha256(PDF).hexdigest()
        assert sent["media"] == {
            "mime_type": "application/pdf", "size_bytes": len(PDF), "sha256": sha256, "file_name": "é.pdf",
        }  # fmt: skip
        await talk.ok("POST", "/send/", 200, json=body)
        again = {"to": TO, "type": "document", "text": "Segue o boleto", "message_id": "b1"}
        await talk.ok("POST", "/send/", 200, json=again | {"media": {"sha256": sha256, "mime_type": "application/pdf"}})
        answer = await talk.get(f"{BASE}/messages/{sent['id']}/media/")
        assert (answer.status_code, answer.content) == (200, PDF)
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A9.pdf"
        assert answer.headers["etag"] == f'"{sha256}"'
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        await bia.refused("GET", f"/messages/{sent['id']}/media/", 404, "not_found")

    async def test_too_large_for_base64(self, talk: Http) -> None:
        media = {"base64": base64.b64encode(bytes(8_388_609)).decode(), "mime_type": "a/b"}
        body = {"to": TO, "type": "image", "media": media}
        assert "multipart" in (await talk.refused("POST", "/send/", 413, "too_large", json=body))["detail"]

    async def test_ranges(self, talk: Http) -> None:
        number = await self._document(talk)
        for asked, status, part in RANGES:
            answer = await talk.get(f"{BASE}/messages/{number}/media/", headers={"Range": asked})
            assert answer.status_code == status
            if part is None:
                assert answer.headers["content-range"] == f"bytes */{len(PDF)}"
                continue
            assert answer.content == part
            assert answer.headers["content-length"] == str(len(part))
            if status == 206:
                start = PDF.rindex(part) if len(part) > 1 else 5
                assert answer.headers["content-range"] == f"bytes {start}-{start + len(part) - 1}/{len(PDF)}"

    async def test_what_one_has_already_and_what_has_changed(self, talk: Http) -> None:
        number = await self._document(talk)
        path = f"{BASE}/messages/{number}/media/"
        etag = (await talk.get(path)).headers["etag"]
        assert (await talk.get(path, headers={"If-None-Match": f'"x", W/{etag}'})).status_code == 304
        fresh = await talk.get(path, headers={"Range": "bytes=0-1", "If-Range": etag})
        stale = await talk.get(path, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
        assert (fresh.status_code, stale.status_code) == (206, 200)
        head = await talk.head(path, headers={"Range": "bytes=0-1"})
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(PDF)))

    async def test_what_claims_to_be_no_type_is_refused(self, talk: Http) -> None:
        media = {"base64": base64.b64encode(PDF).decode(), "mime_type": "text/html\r\nX-Evil: 1"}
        await talk.refused("POST", "/send/", 422, "invalid", json={"to": TO, "type": "document", "media": media})

    async def test_of_what_a_stranger_sent_under_no_type_a_stream_of_bytes(self, dx: Platform, talk: Http) -> None:
        number = await self._document(talk)
        content = json.dumps({"media": {"sha256": hashlib.sha256(PDF).hexdigest(), "size_bytes": len(PDF),
                                        "mime_type": "text/html\r\nX-Evil: 1", "file_name": None}})  # fmt: skip
        with sqlite3.connect(dx.world.deps.database) as database:
            database.execute("UPDATE messages SET content = ? WHERE id = ?", (content, number))
        database.close()
        answer = await talk.get(f"{BASE}/messages/{number}/media/")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert "x-evil" not in answer.headers

    async def test_a_message_without_one(self, talk: Http) -> None:
        sent = await talk.ok("POST", "/send/", 202, json=TEXT)
        await talk.refused("GET", f"/messages/{sent['id']}/media/", 404, "not_found")

    async def test_one_that_is_not_here_any_more(self, dx: Platform, talk: Http) -> None:
        number = await self._document(talk)
        dx.world.deps.media.path_of(hashlib.sha256(PDF).hexdigest()).unlink()
        await talk.refused("GET", f"/messages/{number}/media/", 404, "not_found")

    async def _document(self, talk: Http, mime_type: str = "application/pdf") -> int:
        media = {"base64": base64.b64encode(PDF).decode(), "mime_type": mime_type}
        sent = await talk.ok("POST", "/send/", 202, json={"to": TO, "type": "document", "media": media})
        number: int = sent["id"]
        return number


class TestMultipart:
    async def test_a_file_with_its_fields(self, dx: Platform, talk: Http) -> None:
        photo = os.urandom(200_000)
        sent = await talk.ok(
            "POST", "/send/", 202, data={"to": TO, "text": "Ação", "message_id": "f1"},
            files={"file": ("foto.jpg", photo, "image/jpeg")},
        )  # fmt: skip
        assert (sent["message_type"], sent["text_content"]) == ("image", "Ação")
        assert sent["media"]["file_name"] == "foto.jpg"
        assert sent["media"]["sha256"] == hashlib.sha256(photo).hexdigest()
        assert (await talk.get(f"{BASE}/messages/{sent['id']}/media/")).content == photo

    @pytest.mark.parametrize(
        ("name", "mime_type", "message_type", "recorded"),
        [
            ("a.ogg", "audio/ogg", "audio", "audio/ogg"), ("a.mp4", "application/octet-stream", "video", "video/mp4"),
            ("a.pdf", "application/pdf", "document", "application/pdf"),
            ("a", None, "document", "application/octet-stream"),
        ],
    )  # fmt: skip
    async def test_its_type_says_what_message_it_is(
        self, talk: Http, name: str, mime_type: str | None, message_type: str, recorded: str
    ) -> None:
        file = (name, b"x", mime_type) if mime_type else (name, b"x")
        sent = await talk.ok("POST", "/send/", 202, data={"to": TO}, files={"file": file})
        assert (sent["message_type"], sent["media"]["mime_type"]) == (message_type, recorded)

    async def test_described_beside_it(self, talk: Http) -> None:
        data = {"to": TO, "type": "sticker", "media": '{"mime_type": "image/webp", "file_name": "s.webp"}'}
        sent = await talk.ok("POST", "/send/", 202, data=data, files={"file": ("x", b"x")})
        assert (sent["message_type"], sent["media"]["mime_type"]) == ("sticker", "image/webp")

    async def test_described_in_fields(self, talk: Http) -> None:
        data = {"to": TO, "mime_type": "image/png", "file_name": "recibo.png"}
        sent = await talk.ok("POST", "/send/", 202, data=data, files={"media": ("x", b"x")})
        assert sent["message_type"] == "image"
        assert (sent["media"]["mime_type"], sent["media"]["file_name"]) == ("image/png", "recibo.png")

    async def test_without_a_file_it_is_a_send_like_any_other(self, talk: Http) -> None:
        boundary = {"Content-Type": "multipart/form-data; boundary=b"}
        fields = {"to": TO, "type": "location", "location": '{"latitude": 1.5, "longitude": 2}'}
        body = "".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
        )
        sent = await talk.ok("POST", "/send/", 202, content=f"{body}--b--\r\n".encode(), headers=boundary)
        assert sent["location"]["latitude"] == 1.5

    async def test_forms_that_are_none(self, dx: Platform, talk: Http) -> None:
        for body, boundary, status, kind in FORMS:
            headers = {"Content-Type": f"multipart/form-data{boundary}"}
            await talk.refused("POST", "/send/", status, kind, content=body, headers=headers)
            assert unfinished(dx) == []

    async def test_a_file_larger_than_is_kept(self, tmp_path: Path, autojump_clock: MockClock) -> None:
        async with platform(tmp_path, sections={"media": {"max_bytes": 100_000}}) as dx:
            ana = dx.client("ana")
            await ana.ok("POST", "/sessions/start/", 201)
            files = {"file": ("a.bin", bytes(100_001))}
            await ana.refused("POST", "/send/", 413, "too_large", data={"to": TO}, files=files)
            assert unfinished(dx) == []

    async def test_more_at_once_than_are_taken_are_told_when_to_come_again(
        self, tmp_path: Path, autojump_clock: MockClock
    ) -> None:
        async with platform(tmp_path, sections={"media": {"max_uploads": 1}}) as dx:
            ana = dx.client("ana")
            await ana.ok("POST", "/sessions/start/", 201)
            await ask(dx.world, "media.put", data=base64.b64encode(b"x").decode())  # the only place is taken
            answer = await ana.post(f"{BASE}/send/", data={"to": TO}, files={"file": ("a.bin", b"x")})
            assert (answer.status_code, answer.json()["kind"]) == (429, "rate_limited")
            assert int(answer.headers["retry-after"]) >= 1

    async def test_a_client_that_goes_in_the_middle_leaves_nothing(self, dx: Platform, talk: Http) -> None:
        half = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(70_000)
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": half, "more_body": True},
            {"type": "http.disconnect"},
        ]
        headers = [(b"content-type", b"multipart/form-data; boundary=b"), (b"authorization", token_of(talk))]
        answered: list[int] = []

        async def receive() -> Any:
            assert messages[0]["type"] == "http.disconnect" or unfinished(dx) == []
            return messages.pop(0)

        async def send(message: Any) -> None:
            answered.append(message.get("status", 0))

        scope = {"type": "http", "method": "POST", "path": f"{BASE}/send", "headers": headers, "query_string": b""}
        await dx.app(scope, receive, send)
        assert answered[0] == 400
        assert unfinished(dx) == []


def token_of(client: Http) -> bytes:
    return client.headers["authorization"].encode()


def unfinished(dx: Platform) -> list[str]:
    folder = dx.world.path / "media" / "unfinished"
    return sorted(os.listdir(folder)) if folder.exists() else []
