"""`pombal session qr`: the picture, its rotation, and how the wait ends."""

import pytest
import segno

from pombal.cli.qr_screen import QUIET_ZONE, qr_lines
from pombal.model.session_state import ADVICE, IDLE, RESTRICTED, STOPPED, Place
from tests.cli import objects
from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon, HangUp, Refusal, Subscription

CODE = "2@" + "Ab3+/" * 40 + ",key,identity"
WAITING = objects.session("suporte", "qrcode")


def first_line(code: str, *, dark_ink: bool = False) -> str:
    """A line of the code that no other code has."""
    return max(qr_lines(code, dark_ink=dark_ink)[5:], key=lambda line: len(set(line)))


def modules(lines: list[str], ink: dict[str, tuple[bool, bool]]) -> list[list[bool]]:
    """Read the picture back."""
    rows: list[list[bool]] = []
    for line in lines:
        rows.extend([list(part) for part in zip(*(ink[char] for char in line), strict=True)])
    return rows


def test_the_picture_is_the_code_in_both_inks() -> None:
    symbol = segno.make_qr(CODE, error="l", boost_error=False)
    wanted = [[bool(module) for module in row] for row in symbol.matrix_iter(border=QUIET_ZONE)]
    dark = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}
    light = {char: (not above, not below) for char, (above, below) in dark.items()}
    assert modules(qr_lines(CODE, dark_ink=True), dark)[: len(wanted)] == wanted
    assert modules(qr_lines(CODE, dark_ink=False), light)[: len(wanted)] == wanted


def test_json_is_the_present_code_and_returns(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.qr"] = {"code": CODE, "expires_at": objects.NOW}
    outcome = run("session", "qr", "suporte", "--json")
    assert (outcome.code, outcome.json) == (0, daemon.answers["session.qr"])
    assert daemon.calls == [("session.qr", {"name": "suporte"})]


def test_it_follows_the_rotation_until_the_scan(run: Runner, daemon: FakeDaemon) -> None:
    def play(subscription: Subscription) -> None:
        subscription.daemon.wait_for_call("session.qr")
        subscription.emit(
            objects.qr_event(13, CODE + "2"),
            objects.qr_event(14, None),
            objects.session_event(15, "qrcode", objects.session("suporte", "disconnected", "network")),
            objects.session_event(16, "qrcode", objects.session("suporte", "authenticated")),
        )

    daemon.answers |= {"session.get": WAITING, "session.qr": {"code": CODE, "expires_at": objects.NOW}}
    daemon.plays = [play]
    outcome = run("session", "qr", "suporte")
    assert outcome.code == 0
    assert outcome.out.index(first_line(CODE)) < outcome.out.index(first_line(CODE + "2"))
    assert outcome.lines[-1] == "suporte is authenticated: scanned"
    assert "expired" in outcome.err
    assert [method for method, _ in daemon.calls] == ["events.subscribe", "session.get", "session.qr"]
    assert daemon.calls[0][1] == {
        "sessions": ["suporte"], "types": ["session.qr", "session.status", "session.deleted"],
    }  # fmt: skip


def test_a_session_that_is_ready_needs_no_scan(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.get"] = objects.session()
    outcome = run("session", "qr", "suporte")
    assert (outcome.code, outcome.out) == (0, "suporte is ready already: there is nothing to scan\n")


def test_a_stopped_session_is_refused_with_the_way_out(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.get"] = objects.session("suporte", "disconnected", "stopped")
    outcome = run("session", "qr", "suporte")
    assert (outcome.code, outcome.err) == (
        1,
        "pombal: suporte is disconnected/stopped: it was stopped; start it (`pombal session start suporte`)\n",
    )


def test_it_ends_when_nobody_scanned(run: Runner, daemon: FakeDaemon) -> None:
    ended = objects.session("suporte", "disconnected", "pairing_timeout")
    daemon.answers |= {"session.get": objects.session("suporte", "connecting"), "session.qr": Refusal("not_ready", "")}
    daemon.plays = [lambda subscription: subscription.emit(objects.session_event(13, "qrcode", ended))]
    outcome = run("session", "qr", "suporte")
    assert outcome.code == 1
    assert "suporte is disconnected/pairing_timeout: nobody scanned the QR code" in outcome.err
    assert daemon.called("session.qr") == []


@pytest.mark.parametrize("place", sorted((IDLE | {RESTRICTED}) - {STOPPED}, key=str))
def test_whatever_it_ends_in_is_said_in_words(run: Runner, daemon: FakeDaemon, place: Place) -> None:
    status, reason = place
    ended = objects.session("suporte", status, reason)
    daemon.answers |= {"session.get": WAITING, "session.qr": {"code": CODE, "expires_at": objects.NOW}}
    daemon.plays = [lambda subscription: subscription.emit(objects.session_event(13, "qrcode", ended))]
    outcome = run("session", "qr", "suporte")
    assert outcome.code == 1
    assert reason is not None
    assert f"suporte is {status}/{reason}: {ADVICE[reason]}" in outcome.err


@pytest.mark.parametrize("reason", ["network", "link_lost"])
def test_a_connection_that_is_lost_meanwhile_is_waited_for(run: Runner, daemon: FakeDaemon, reason: str) -> None:
    lost, ready = objects.session("suporte", "disconnected", reason), objects.session("suporte", "ready")
    daemon.answers |= {"session.get": WAITING, "session.qr": {"code": CODE, "expires_at": objects.NOW}}
    daemon.plays = [
        lambda subscription: subscription.emit(
            objects.session_event(13, "qrcode", lost), objects.session_event(14, "connecting", ready)
        )
    ]
    assert "suporte is ready: scanned" in run("session", "qr", "suporte").out


def test_between_two_codes_it_waits(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers |= {"session.get": WAITING, "session.qr": Refusal("not_ready", "no code at this moment")}
    daemon.plays = [lambda subscription: subscription.emit(objects.event(13, "session.deleted", {}))]
    outcome = run("session", "qr", "suporte")
    assert (outcome.code, outcome.err) == (1, "between two QR codes\npombal: suporte was deleted\n")


def test_after_a_gap_it_looks_again(run: Runner, daemon: FakeDaemon) -> None:
    states = iter([WAITING, objects.session()])
    daemon.answers |= {
        "session.get": lambda params: next(states),
        "session.qr": {"code": CODE, "expires_at": objects.NOW},
    }
    daemon.plays = [lambda subscription: subscription.emit({"seq": 20, "type": "gap", "data": {"from": 1, "to": 20}})]
    assert run("session", "qr", "suporte").code == 0


def test_a_daemon_that_goes_away_is_3(run: Runner, daemon: FakeDaemon) -> None:
    def play(subscription: Subscription) -> None:
        subscription.daemon.wait_for_call("session.qr")
        raise HangUp

    daemon.answers |= {"session.get": WAITING, "session.qr": {"code": CODE, "expires_at": objects.NOW}}
    daemon.plays = [play]
    assert run("session", "qr", "suporte").code == 3


def test_on_a_terminal_both_colours_are_said_even_with_no_color(run: Runner, daemon: FakeDaemon) -> None:
    scanned = objects.session_event(13, "qrcode", objects.session())
    daemon.answers |= {"session.get": WAITING, "session.qr": {"code": CODE, "expires_at": objects.NOW}}

    def play(subscription: Subscription) -> None:
        subscription.daemon.wait_for_call("session.qr")
        subscription.emit(scanned)

    daemon.plays = [play]
    with run.terminal("session", "qr", "suporte", env={"NO_COLOR": "1"}) as terminal:
        assert terminal.finish() == 0
    seen = terminal.seen.decode()
    assert first_line(CODE, dark_ink=True) in seen
    assert "\x1b[38;5;16;48;5;231m" in seen or "\x1b[30;107m" in seen or "\x1b[38;2;0;0;0;48;2;255;255;255m" in seen
    assert "Linked devices" in seen
    assert "suporte is ready: scanned" in seen


def test_a_terminal_too_narrow_is_told_so(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers |= {"session.get": WAITING, "session.qr": {"code": CODE, "expires_at": objects.NOW}}

    def play(subscription: Subscription) -> None:
        subscription.daemon.wait_for_call("session.qr")
        subscription.emit(objects.session_event(13, "qrcode", objects.session()))

    daemon.plays = [play]
    with run.terminal("session", "qr", "suporte", columns=40) as terminal:
        assert terminal.finish() == 0
    assert "the terminal has 40 columns" in terminal.seen.decode()


def test_a_terminal_too_low_is_told_so_below_the_code(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers |= {"session.get": WAITING, "session.qr": {"code": CODE, "expires_at": objects.NOW}}

    def play(subscription: Subscription) -> None:
        subscription.daemon.wait_for_call("session.qr")
        subscription.emit(objects.session_event(13, "qrcode", objects.session()))

    daemon.plays = [play]
    with run.terminal("session", "qr", "suporte", env={"LINES": "10"}) as terminal:
        assert terminal.finish() == 0
    assert "The terminal has 10 rows and this needs " in terminal.seen.decode()
