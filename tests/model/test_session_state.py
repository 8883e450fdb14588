"""The life of a session: every trigger from every place, and the table of the contract row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.model.session_state import (
    ADVICE,
    ALIVE,
    AUTHENTICATED,
    CONNECTING,
    CRASH_LOOP,
    EVERY,
    IDLE,
    LINK_LOST,
    NETWORK,
    PAIRING_TIMEOUT,
    QRCODE,
    READY,
    RESTRICTED,
    RUNNING,
    STOPPED,
    TRANSITIONS,
    WAITS_FOR_START,
    Place,
    Reason,
    SessionState,
    SessionStatus,
    Trigger,
    accepts_sends,
    at_daemon_start,
    starts_with_daemon,
    transition,
)

NOW = 1_700_000_000_000
places = st.sampled_from(sorted(EVERY, key=repr))
untils = st.none() | st.integers(NOW - 1000, NOW + 1000)
states = st.builds(
    lambda place, until, identity: SessionState(place[0], place[1], until, identity),
    places,
    untils,
    st.none() | st.just("5511999999999"),
)


def state(place: Place, until_ms: int | None = None, identity: str | None = None) -> SessionState:
    return SessionState(*place, until_ms, identity)


@given(states, st.sampled_from(Trigger), untils)
def test_every_trigger_leads_from_every_place_to_its_one_place_or_nowhere(
    before: SessionState, trigger: Trigger, until_ms: int | None
) -> None:
    after = transition(before, trigger, NOW, until_ms=until_ms)
    assert after.place in EVERY
    assert after is before or after.place == TRANSITIONS[trigger][1]
    if before.place not in TRANSITIONS[trigger][0] and before.place != RESTRICTED:
        assert after is before


@given(states, st.sampled_from(Trigger), untils)
def test_the_same_trigger_twice_is_one_change(before: SessionState, trigger: Trigger, until_ms: int | None) -> None:
    once = transition(before, trigger, NOW, until_ms=until_ms)
    assert transition(once, trigger, NOW, until_ms=until_ms) is once


@given(states, st.lists(st.tuples(st.sampled_from(Trigger), st.integers(0, 2000)), max_size=30))
def test_no_life_leaves_the_table_or_forgets_whom_it_was_paired_with(
    current: SessionState, life: list[tuple[Trigger, int]]
) -> None:
    identity, now = current.identity, NOW
    for trigger, passed_ms in life:
        now += passed_ms
        current = transition(current, trigger, now, until_ms=now + 500 if trigger == Trigger.RESTRICTED else None)
        assert current.place in EVERY
        assert current.identity == identity


@given(states)
def test_stop_always_stops_and_start_leads_out_of_every_rest(before: SessionState) -> None:
    assert transition(before, Trigger.STOP, NOW).place == STOPPED
    started = transition(before, Trigger.START, NOW)
    assert (started.place == CONNECTING) == (before.place in IDLE | {CONNECTING})


def test_the_places_are_those_of_the_contract() -> None:
    errors = {"logged_out", "replaced", "banned", "bad_credentials", "passkey_required", "client_outdated"}
    assert {(status.value, reason and reason.value) for status, reason in EVERY} == {
        ("ready", None), ("connecting", None), ("authenticated", None), ("qrcode", None),
        ("disconnected", "network"), ("disconnected", "link_lost"), ("disconnected", "stopped"),
        ("disconnected", "pairing_timeout"), ("error", "restricted"), ("error", "crash_loop"),
        *(("error", reason) for reason in errors),
    }  # fmt: skip
    assert ALIVE.isdisjoint(IDLE)
    assert set(TRANSITIONS) == set(Trigger)
    assert set(ADVICE) == set(Reason)


TABLE = [
    # place, paired before, a new send is accepted, an active session comes back by itself
    (READY, True, True, True),
    (CONNECTING, True, True, True),
    (CONNECTING, False, True, True),
    (AUTHENTICATED, True, True, True),
    (NETWORK, True, True, True),
    (LINK_LOST, True, True, True),
    (QRCODE, True, True, True),
    (QRCODE, False, False, True),
    (STOPPED, True, False, True),  # it stays because it is not active
    (PAIRING_TIMEOUT, False, False, False),
    *(((SessionStatus.ERROR, reason), True, False, False) for reason in (
        Reason.LOGGED_OUT, Reason.REPLACED, Reason.BANNED, Reason.BAD_CREDENTIALS, Reason.PASSKEY_REQUIRED,
        Reason.CLIENT_OUTDATED,
    )),
    (RESTRICTED, True, True, True),
    (CRASH_LOOP, True, True, True),
]  # fmt: skip


@pytest.mark.parametrize(("place", "paired", "accepted", "starts"), TABLE)
def test_the_contracts_table(place: Place, paired: bool, accepted: bool, starts: bool) -> None:
    here = state(place, identity="5511999999999" if paired else None)
    assert accepts_sends(here) is accepted
    assert starts_with_daemon(here) is starts
    resumed = at_daemon_start(here, NOW)
    assert resumed.place == (CONNECTING if starts else place)
    assert resumed.identity == here.identity


def test_the_table_has_every_place() -> None:
    assert {row[0] for row in TABLE} == EVERY


@pytest.mark.parametrize("place", sorted(WAITS_FOR_START, key=repr))
@pytest.mark.parametrize("trigger", [trigger for trigger in Trigger if trigger not in ("start", "stop", "crash_loop")])
def test_what_waits_for_a_person_hears_no_link(place: Place, trigger: Trigger) -> None:
    before = state(place)
    assert transition(before, trigger, NOW) is before


@pytest.mark.parametrize("trigger", [Trigger.READY, Trigger.LOST, Trigger.LINK_LOST, Trigger.QR])
def test_a_restriction_is_left_when_it_has_run_out_and_not_before(trigger: Trigger) -> None:
    restricted = transition(state(READY), Trigger.RESTRICTED, NOW, until_ms=NOW + 1000)
    assert restricted == state(RESTRICTED, NOW + 1000)
    assert transition(restricted, trigger, NOW + 999) is restricted
    after = transition(restricted, trigger, NOW + 1000)
    assert after.place == TRANSITIONS[trigger][1]
    assert after.until_ms is None


def test_a_restriction_outlives_a_restart_of_the_daemon_until_it_ends() -> None:
    restricted = state(RESTRICTED, NOW + 1000)
    assert at_daemon_start(restricted, NOW + 999) is restricted
    assert at_daemon_start(restricted, NOW + 1000) == state(CONNECTING)


def test_a_restriction_that_is_prolonged_is_one_change_each_time() -> None:
    restricted = transition(state(READY), Trigger.RESTRICTED, NOW, until_ms=NOW + 1000)
    assert transition(restricted, Trigger.RESTRICTED, NOW, until_ms=NOW + 1000) is restricted
    assert transition(restricted, Trigger.RESTRICTED, NOW, until_ms=NOW + 2000).until_ms == NOW + 2000


@pytest.mark.parametrize("place", sorted(RUNNING, key=repr))
def test_crash_loop_is_left_by_start_alone(place: Place) -> None:
    crashed = transition(state(place), Trigger.CRASH_LOOP, NOW)
    assert crashed.place == CRASH_LOOP
    assert transition(crashed, Trigger.READY, NOW) is crashed
    assert transition(crashed, Trigger.START, NOW).place == CONNECTING


def test_a_stopped_session_does_not_crash() -> None:
    stopped = state(STOPPED)
    assert transition(stopped, Trigger.CRASH_LOOP, NOW) is stopped


def test_pairing_keeps_the_identity_until_another_pairs() -> None:
    paired = transition(state(QRCODE), Trigger.AUTHENTICATED, NOW, identity="5511")
    assert transition(paired, Trigger.LOST, NOW).identity == "5511"
    assert transition(paired, Trigger.AUTHENTICATED, NOW, identity="5522").identity == "5522"


def test_whatever_ends_a_link_for_good_is_the_state_even_of_a_restricted_session() -> None:
    """Or it would wait for the end of its restriction, and nobody would open its link when that came."""
    restricted = SessionState(*RESTRICTED, until_ms=NOW + 500)
    ends = (
        Trigger.PAIRING_TIMEOUT, Trigger.LOGGED_OUT, Trigger.REPLACED, Trigger.BANNED, Trigger.BAD_CREDENTIALS,
        Trigger.PASSKEY_REQUIRED, Trigger.CLIENT_OUTDATED,
    )  # fmt: skip
    for trigger in ends:
        assert transition(restricted, trigger, NOW).reason == trigger.value
