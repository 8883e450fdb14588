"""`pombal send`: what goes to the daemon, and waiting for what becomes of it."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from pombal.cli.send import guess_mime
from tests.cli import objects
from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon, HangUp, Refusal, Subscription

TO = ["suporte", "5511988887777"]
BASE = {"session": "suporte", "to": "5511988887777"}


@pytest.mark.parametrize(
    ("words", "params"),
    [
        (["Olá, mundo"], {"type": "text", "text": "Olá, mundo"}),
        (
            ["oi", "--id", "t-1", "--quote", "Q"],
            {"type": "text", "text": "oi", "message_id": "t-1", "quoted_message_id": "Q"},
        ),
        (["--location", "-23.55,-46.6"], {"type": "location", "location": {"latitude": -23.55, "longitude": -46.6}}),
        (["--contact", "Ana: a:5511"], {"type": "contact", "contact": {"name": "Ana: a", "number": "5511"}}),
        (["👍", "--react-to", "M"], {"type": "reaction", "reaction": {"message_id": "M", "emoji": "👍"}}),
        (["--react-to", "M"], {"type": "reaction", "reaction": {"message_id": "M", "emoji": ""}}),
    ],
)  # fmt: skip
def test_what_is_asked_for(run: Runner, daemon: FakeDaemon, words: list[str], params: dict[str, Any]) -> None:
    daemon.answers["message.send"] = objects.message("queued")
    outcome = run("send", *TO, *words)
    assert (outcome.code, outcome.out) == (0, "suporte ticket-1 queued\n")
    assert daemon.calls == [("message.send", BASE | params)]


def test_text_from_stdin(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["message.send"] = objects.message("queued")
    outcome = run("send", *TO, "-", "--json", stdin="uma linha\noutra\n")
    assert outcome.json == objects.message("queued")
    assert daemon.called("message.send")[0]["text"] == "uma linha\noutra"


@pytest.mark.parametrize(("stdin", "reason"), [(b"\xff\xfe", "no UTF-8"), (b"x" * 1_048_577, "more than 1 MiB")])
def test_stdin_that_is_no_message(run: Runner, daemon: FakeDaemon, stdin: bytes, reason: str) -> None:
    outcome = run("send", *TO, "-", stdin=stdin)
    assert (outcome.code, daemon.calls) == (2, [])
    assert reason in outcome.err


def test_a_file_is_uploaded_first(run: Runner, daemon: FakeDaemon, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096  # 1 MiB: two chunks
    file = tmp_path / "foto da praia.JPG"
    file.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    received = bytearray()

    def put(params: dict[str, Any]) -> dict[str, Any]:
        assert params.get("offset", 0) == len(received)
        received.extend(base64.b64decode(params["data"]))
        done = params.get("sha256") == sha256
        return {"sha256": sha256, "size_bytes": len(received)} if done else {"upload": "U", "offset": len(received)}

    daemon.answers |= {"media.put": put, "message.send": objects.message("queued")}
    outcome = run("send", *TO, "a legenda", "--file", str(file))
    assert (outcome.code, outcome.err) == (0, "")
    assert bytes(received) == content
    media = {"sha256": sha256, "mime_type": "image/jpeg", "file_name": "foto da praia.JPG"}
    assert daemon.called("message.send") == [BASE | {"type": "image", "text": "a legenda", "media": media}]


def test_type_goes_before_the_guess(run: Runner, daemon: FakeDaemon, tmp_path: Path) -> None:
    (tmp_path / "a.webp").write_bytes(b"x")
    daemon.answers["media.put"] = {"sha256": "0" * 64, "size_bytes": 1}
    daemon.answers["message.send"] = objects.message("queued")
    run("send", *TO, "--file", "a.webp", "--type", "sticker")
    (params,) = daemon.called("message.send")
    assert (params["type"], params["media"]["mime_type"]) == ("sticker", "image/webp")


@pytest.mark.parametrize(
    ("name", "mime"),
    [("a.png", "image/png"), ("voz.OGG", "audio/ogg"), ("v.mp4", "video/mp4"), ("x", "application/octet-stream")],
)
def test_mime_types(name: str, mime: str) -> None:
    assert guess_mime(Path(name)) == mime


def test_a_refused_upload_sends_nothing(run: Runner, daemon: FakeDaemon, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    daemon.answers["media.put"] = Refusal("too_large", "at most 0 bytes")
    outcome = run("send", *TO, "--file", "a.png")
    assert (outcome.code, outcome.err) == (1, "pombal: at most 0 bytes\n")
    assert daemon.called("message.send") == []


def after_the_send(*events: dict[str, Any]) -> Any:
    """A play that tells events once the message has been sent."""

    def play(subscription: Subscription) -> None:
        assert subscription.params == {"sessions": ["suporte"], "types": ["message.status"]}
        subscription.daemon.wait_for_call("message.send")
        subscription.emit(*events)

    return play


def test_wait_subscribes_before_it_sends_and_ends_when_it_is_so_far(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers |= {"message.send": objects.message("queued"), "message.get": objects.message("delivered")}
    daemon.plays = [
        after_the_send(
            objects.status_event(13, "read", message_id=40),
            objects.status_event(14, "sent"),
            objects.status_event(15, "delivered"),
        )
    ]
    outcome = run("send", *TO, "oi", "--wait", "delivered")
    assert (outcome.code, outcome.out) == (0, "suporte ticket-1 delivered after 83 ms\n")
    assert [method for method, _ in daemon.calls] == ["events.subscribe", "message.send", "message.get"]


def test_wait_is_over_when_a_later_status_comes_first(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers |= {"message.send": objects.message("queued"), "message.get": objects.message("read")}
    daemon.plays = [after_the_send(objects.status_event(13, "read"))]
    outcome = run("send", *TO, "oi", "--wait", "sent", "--json")
    assert (outcome.code, outcome.json) == (0, objects.message("read"))


def test_wait_needs_no_event_for_a_repeat_that_arrived_long_ago(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["message.send"] = objects.message("read")
    outcome = run("send", *TO, "oi", "--id", "ticket-1", "--wait", "delivered")
    assert outcome.code == 0
    assert daemon.called("message.get") == []


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("failed", "ticket-1 failed: unknown_recipient: no account"),
        ("uncertain", "ticket-1 is uncertain: unknown_recipient"),
    ],
)
def test_wait_for_what_fails_is_1_with_the_reason(run: Runner, daemon: FakeDaemon, status: str, told: str) -> None:
    failed = objects.message(status, error_kind="unknown_recipient", error_detail="no account")
    daemon.answers |= {"message.send": objects.message("queued"), "message.get": failed}
    daemon.plays = [after_the_send(objects.status_event(13, status))]
    outcome = run("send", *TO, "oi", "--wait", "sent", "--json")
    assert (outcome.code, outcome.json) == (1, failed)
    assert told in outcome.err
    assert "pombal message resend suporte ticket-1" in outcome.err


def test_wait_that_takes_too_long_is_1(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers |= {"message.send": objects.message("queued"), "message.get": objects.message("sent")}
    daemon.plays = [after_the_send(objects.status_event(13, "sent"))]
    outcome = run("send", *TO, "oi", "--wait", "delivered", "--timeout", "0.3")
    assert outcome.code == 1
    assert "ticket-1 is sent after 0.3 s, and not delivered" in outcome.err


def test_wait_looks_again_after_a_gap(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers |= {"message.send": objects.message("queued"), "message.get": objects.message("delivered")}
    daemon.plays = [after_the_send({"seq": 20, "type": "gap", "data": {"from": 13, "to": 20}})]
    assert run("send", *TO, "oi", "--wait", "sent").code == 0


def test_wait_for_a_daemon_that_goes_away_is_3_and_says_where_the_message_is(run: Runner, daemon: FakeDaemon) -> None:
    def play(subscription: Subscription) -> None:
        subscription.daemon.wait_for_call("message.send")
        raise HangUp

    daemon.answers["message.send"] = objects.message("queued")
    daemon.plays = [play]
    outcome = run("send", *TO, "oi", "--wait", "sent")
    assert (outcome.code, outcome.out) == (3, "")
    assert "ticket-1 is queued, but the daemon went away" in outcome.err


def test_a_refused_send_is_1_with_wait_too(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["message.send"] = Refusal("not_ready", "session suporte is stopped")
    assert run("send", *TO, "oi", "--wait", "sent").err == "pombal: session suporte is stopped\n"
