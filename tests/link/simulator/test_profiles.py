from typing import Any

import pytest

from pombal.config.settings import Lognormal, SimulatorSettings
from pombal.link.simulator import validate_settings
from pombal.link.simulator.profiles import Profiles
from pombal.model.errors import Kind, PombalError


@pytest.fixture
def profiles() -> Profiles:
    return Profiles(SimulatorSettings(enabled=True, sent_ms=7, read_rate=0.5))


def test_a_sessions_own_settings_go_before_the_daemons(profiles: Profiles) -> None:
    mixed = profiles.of({"sent_ms": {"median": 20, "p99": 90}, "seed": 3, "messages_per_second": 5})
    assert (mixed.sent_ms, mixed.seed, mixed.read_rate) == (Lognormal(median=20, p99=90), 3, 0.5)
    assert (profiles.of({}).sent_ms, profiles.of({}).seed) == (7, 1)


def test_equal_settings_share_one_profile(profiles: Profiles) -> None:
    assert profiles.of({}) is profiles.of({})
    assert profiles.of({"seed": 3, "contacts": 2}) is profiles.of({"contacts": 2, "seed": 3})


def test_the_shared_profiles_are_bounded(profiles: Profiles) -> None:
    for seed in range(3000):
        assert profiles.of({"seed": seed}).seed == seed
    assert len(profiles._cached) <= 1024


@pytest.mark.parametrize(
    ("settings", "key", "says"),
    [
        ({"sped": 1}, "sped", "unknown to the simulator; it knows auto_scan_ms, burst,"),
        ({"sent_ms": "fast"}, "sent_ms", "a number of milliseconds, or {median, p99}"),
        ({"sent_ms": {"median": 5}}, "sent_ms", ".p99: Field required"),
        ({"sent_ms": {"median": 5, "p99": 1}}, "sent_ms", "median must be above 0 and not above p99"),
        ({"sent_ms": {"median": 5, "p99": 9, "p999": 9}}, "sent_ms", "not permitted"),
        ({"read_rate": 1.5}, "read_rate", "less than or equal to 1"),
        ({"seed": "1"}, "seed", "valid integer"),
        ({"deduplicates": 1}, "deduplicates", "valid boolean"),
        ({"enabled": True}, "enabled", "unknown"),
        ({"connect_ms": float("nan")}, "connect_ms", "number"),
    ],
)
def test_bad_settings_are_refused_with_key_and_reason(settings: dict[str, Any], key: str, says: str) -> None:
    with pytest.raises(PombalError) as caught:
        validate_settings(settings)
    assert caught.value.kind == Kind.INVALID
    assert caught.value.message.startswith(f"settings.{key}")
    assert says in caught.value.message
    assert caught.value.data == {"key": key}
