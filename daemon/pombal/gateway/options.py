"""How a gateway is told to run; the command line's defaults are these."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Listen:
    """Where daemons connect: a Unix socket, or an address with what makes it safe."""

    socket: Path | None = None
    host: str | None = None
    port: int | None = None
    token_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


@dataclass(frozen=True, slots=True)
class Options:
    state_dir: Path
    listen: Listen
    life_line: bool = False
    max_sessions: int = 50
    descriptors_max: int = 500
    """A process that has so many takes no new session: each client that was stopped has left some behind."""
    qr_rounds: int = 3
    login_timeout_s: float = 30.0
    ping_every_s: float = 10.0
    facts_every_s: float = 5.0
    max_unacknowledged: int = 2_000
    """Events told and not acknowledged; more wait in the spool."""
    spool_max_events: int = 100_000
    """Events in a session's spool beyond which WhatsApp's client waits."""
    media_max_bytes: int = 104_857_600
    proxy: str | None = None
    """For sessions without one of their own."""

    @property
    def sessions_dir(self) -> Path:
        return self.state_dir / "web"
