"""Changing settings while the daemon runs: what takes effect at once, and what waits for the next start."""

from dataclasses import dataclass

from pombal.config.keys import by_key, sections
from pombal.config.settings import Settings

_LIVE_KEYS = (
    "auth.owner_claims",
    "auth.role_claim",
    "auth.audience",
    "auth.issuer",
    "auth.leeway_s",
    "auth.token_lifetime_s",
    "http.requests_per_minute",
    "link.reconnect_min_s",
    "link.reconnect_max_s",
    "link.stable_s",
    "link.probe_after_s",
    "link.probe_timeout_s",
    "sessions.command_timeout_s",
    "sessions.cooldown_s",
)
_LIVE_PREFIXES = ("log.", "latency.", "outbox.", "retention.", "metrics.", "sessions.restart_")


def is_live(key: str) -> bool:
    """Whether a changed value takes effect without a restart."""
    return key in _LIVE_KEYS or key.startswith(_LIVE_PREFIXES)


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """The keys whose value differs from the one that was running, and those of them that wait for the next start."""

    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()

    def object(self) -> dict[str, list[str]]:
        """The result of `daemon.reload`."""
        return {"changed": list(self.changed), "needs_restart": list(self.needs_restart)}


def compare(running: Settings, new: Settings) -> ReloadReport:
    before, after = by_key(running), by_key(new)
    changed = tuple(key for key in before if before[key] != after[key])
    return ReloadReport(changed, tuple(key for key in changed if not is_live(key)))


def with_live_keys(running: Settings, new: Settings) -> Settings:
    """running, with new's values for the keys that may change now."""
    tables = {}
    for section in sections():
        live = {key.partition(".")[2]: value for key, value in by_key(new).items() if _is_live_in(section, key)}
        tables[section] = getattr(running, section).model_copy(update=live)
    return running.model_copy(update=tables)


def _is_live_in(section: str, key: str) -> bool:
    return key.startswith(f"{section}.") and is_live(key)


class LiveSettings:
    """The settings that hold now. Rooms read them through ``current`` at the moment of use, and keep no copy."""

    def __init__(self, settings: Settings) -> None:
        self._current = settings

    @property
    def current(self) -> Settings:
        return self._current

    def replace(self, new: Settings) -> ReloadReport:
        """Let new's values hold, but for those that need a restart: they stay as they run, and are reported again."""
        report = compare(self._current, new)
        self._current = with_live_keys(self._current, new)
        return report
