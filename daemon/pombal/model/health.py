"""How the daemon is, in facts that a load balancer, systemd and a person can act on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A daemon that fails one of these is not helped by waiting, but by a restart.
VITAL_CHECKS = frozenset({"loop", "writer"})


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be well; detail says what is wrong, in a line for people."""

    ok: bool
    detail: str | None = None


WELL = Check(ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """All that is known; ``simulator`` says that sessions may be on a simulated network and not on WhatsApp."""

    checks: Mapping[str, Check]
    is_started: bool
    is_draining: bool
    simulator: bool
    version: str
    uptime_s: float

    @property
    def failing(self) -> list[str]:
        """The names of what fails; starting and draining are told among them."""
        lifecycle = {"started": self.is_started, "not_draining": not self.is_draining}
        states = {name: check.ok for name, check in self.checks.items()} | lifecycle
        return [name for name, ok in states.items() if not ok]

    @property
    def ok(self) -> bool:
        """Whether it does its work: everything is well, it has started and is not about to stop."""
        return not self.failing

    @property
    def is_live(self) -> bool:
        """Whether it should be left running: the loop turns and the writer answers, be it with an error."""
        return VITAL_CHECKS.isdisjoint(self.failing)

    @property
    def is_ready(self) -> bool:
        """Whether requests should be sent here."""
        return self.is_started and not self.is_draining

    def object(self) -> dict[str, Any]:
        return {
            "status": "ok" if self.ok else "failing",
            "failing": self.failing,
            "simulator": self.simulator,
            "version": self.version,
            "uptime_seconds": round(self.uptime_s, 3),
            "checks": {name: {"ok": check.ok, "detail": check.detail} for name, check in self.checks.items()},
        }
