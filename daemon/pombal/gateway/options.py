"""How a gateway is told to run; the command line's defaults are these."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Listen:
    """Where daemons connect: a Unix socket, or an address with what makes it safe."""

    socket: Path | None = None
    host: str = ""
    port: int = 0
    token_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """state_dir holds a directory for each session."""

    state_dir: Path
    listen: Listen
    life_line: bool = False
    """Leave when the standard input ends."""
    max_sessions: int = 1_000
    descriptors_max: int = 500
    """A process that has so many takes no new session: each client that was stopped has left some behind."""
    facts_every_s: float = 4.0
    max_unacknowledged: int = 1_000
    """Events told and not acknowledged; more wait in the spool."""
    spool_max_events: int = 100_000
    """Events in a session's spool beyond which WhatsApp's client waits."""
    media_max_bytes: int = 104_857_600
    stop_timeout_s: float = 4.5
