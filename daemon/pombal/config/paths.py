"""Where the daemon's files lie, and whether it may use the place."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pombal.config.errors import StartRefused
from pombal.config.settings import DaemonSettings

SOCKET_PATH_MAX_BYTES = 107  # sockaddr_un.sun_path of unix(7): 108 with the NUL behind it
STATE_MODE = 0o700
# Members of [control] groups must reach the socket, so others may pass. Nothing in it is secret: who may speak is
# decided by the socket's own mode and by each peer's credentials. It is also systemd's default for RuntimeDirectory.
RUNTIME_MODE = 0o755
SYSTEM_RUNTIME = Path("/run/pombal")


@dataclass(frozen=True, slots=True)
class Paths:
    """The two directories, both absolute, and everything in them by name."""

    state: Path
    runtime: Path

    @property
    def database(self) -> Path:
        return self.state / "pombal.db"

    @property
    def media(self) -> Path:
        return self.state / "media"

    @property
    def token_secret(self) -> Path:
        return self.state / "token_secret"

    @property
    def simulator_db(self) -> Path:
        return self.state / "simulator.db"

    @property
    def web(self) -> Path:
        """Where gateways keep what lasts, a directory for each session: its keys among it."""
        return self.state / "web"

    @property
    def replaced(self) -> Path:
        """Databases that a restore has taken the place of, a directory each: for a person to remove."""
        return self.state / "replaced"

    @property
    def state_lock(self) -> Path:
        return self.state / "lock"

    @property
    def socket(self) -> Path:
        return self.runtime / "control.sock"

    @property
    def gateways(self) -> Path:
        """Gateways' sockets; nobody else's business."""
        return self.runtime / "gateways"

    @property
    def control_lock(self) -> Path:
        return self.runtime / "control.lock"


def resolve_paths(settings: DaemonSettings, environ: Mapping[str, str]) -> Paths:
    """The directories, from the settings, else from the environment. Raises StartRefused where there is no home."""
    state = _given(settings.state_dir) or _from_systemd(environ, "STATE_DIRECTORY") or default_state(environ)
    runtime = (
        _given(settings.runtime_dir)
        or _from_systemd(environ, "RUNTIME_DIRECTORY")
        or _below_xdg(environ, "XDG_RUNTIME_DIR")
        or state / "run"
    )
    return Paths(state, runtime)


def default_state(environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/pombal`, else `~/.local/state/pombal`."""
    return _below_xdg(environ, "XDG_STATE_HOME") or _home(environ) / ".local/state/pombal"


def ensure(paths: Paths) -> None:
    """Create the directories and check that they can be used. Raises StartRefused with what to do.

    One that exists keeps its mode: somebody may have opened it to a group on purpose.
    """
    check_socket_path(paths.socket)
    _ensure_directory(paths.state, STATE_MODE, "[daemon] state_dir")
    _ensure_directory(paths.media, STATE_MODE, "[daemon] state_dir")
    _ensure_directory(paths.runtime, RUNTIME_MODE, "[daemon] runtime_dir")


def check_socket_path(path: Path) -> None:
    """Raises StartRefused for a path that the kernel would cut short or refuse."""
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_MAX_BYTES:
        raise StartRefused(
            f"the control socket's path {path} has {length} bytes, and a Unix socket's may have at most "
            f"{SOCKET_PATH_MAX_BYTES}; set [daemon] runtime_dir to a shorter directory"
        )


def client_socket_candidates(argument: str | None, environ: Mapping[str, str]) -> list[Path]:
    """Where a client looks for the daemon, in this order. What was named by hand is the only candidate.

    Falling back from there would reach another daemon than the one that was meant.
    """
    named = argument or environ.get("POMBAL_SOCKET")
    if named:
        return [Path(named)]
    directories = [_below_xdg(environ, "XDG_RUNTIME_DIR"), SYSTEM_RUNTIME, default_state(environ) / "run"]
    return [directory / "control.sock" for directory in directories if directory is not None]


def find_client_socket(argument: str | None, environ: Mapping[str, str]) -> Path:
    """The first candidate that exists; where none does the first one, which connecting to will say."""
    candidates = client_socket_candidates(argument, environ)
    return next((path for path in candidates if os.path.exists(path)), candidates[0])


def _given(directory: str | None) -> Path | None:
    if not directory:
        return None
    try:
        return Path(directory).expanduser().absolute()
    except RuntimeError:
        raise StartRefused(f"{directory}: there is no such home directory; write the path in full") from None


def _from_systemd(environ: Mapping[str, str], variable: str) -> Path | None:
    """The first of the directories that systemd made, which it separates by colons."""
    first = environ.get(variable, "").partition(":")[0]
    return Path(first).absolute() if first else None


def _below_xdg(environ: Mapping[str, str], variable: str) -> Path | None:
    """The XDG base directory specification says to pass over relative paths."""
    base = Path(environ.get(variable, ""))
    return base / "pombal" if base.is_absolute() else None


def _home(environ: Mapping[str, str]) -> Path:
    named = Path(environ.get("HOME", ""))
    if named.is_absolute():
        return named
    try:
        return Path.home()
    except RuntimeError:
        raise StartRefused("this user has no home directory; set [daemon] state_dir") from None


def _ensure_directory(path: Path, mode: int, setting: str) -> None:
    advice = f"set {setting} to a directory that uid {os.geteuid()} owns and can write"
    try:
        created = _create(path, mode)
        found = path.stat()
    except OSError as error:
        cause = f"{error.strerror} ({error.filename})"
        raise StartRefused(f"cannot create the directory {path}: {cause}; create it, or {advice}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise StartRefused(f"{path} is no directory; move it away, or {advice}")
    if not created and found.st_uid != os.geteuid():
        raise StartRefused(f"the directory {path} belongs to uid {found.st_uid}, not to us; {advice}")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise StartRefused(f"the directory {path} cannot be written; {advice}")


def _create(path: Path, mode: int) -> bool:
    """Whether it was not there before. chmod because mkdir's mode passes through the umask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode)
    except FileExistsError:
        return False
    path.chmod(mode)
    return True
