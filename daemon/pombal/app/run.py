"""`pombal serve`: from settings to an exit code."""

import faulthandler
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import structlog
import trio

from pombal.app.daemon import Daemon
from pombal.app.demo import play_demo, with_demo_settings
from pombal.config.errors import ConfigError, StartRefused
from pombal.config.locks import hold_locks
from pombal.config.paths import Paths, ensure, resolve_paths
from pombal.config.settings import Settings
from pombal.ops.logging import configure_logging
from pombal.store.connection import StoreError

log = structlog.get_logger()

DONE, REFUSED, MISCONFIGURED = 0, 1, 2


def run(settings: Settings, *, demo: bool, config_path: Path | None, state_dir: Path | None) -> int:
    """Run the daemon until it is told to stop. 0: drained; 1: it could not start, or failed; 2: misconfigured."""
    if demo:
        settings = with_demo_settings(settings)
    configure_logging(settings.log, environ=os.environ)
    faulthandler.enable()  # the watchdog's SIGABRT then says where the loop hung
    try:
        paths = _paths(settings, demo=demo, state_dir=state_dir)
        with _private_umask(), hold_locks(paths):
            daemon = Daemon(settings, paths, config_path)
            trio.run(daemon.run, play_demo if demo else None)
            return REFUSED if daemon.has_failed else DONE
    except ConfigError as error:
        _say(error)
        return MISCONFIGURED
    except (StartRefused, StoreError) as error:
        _say(error)
        return REFUSED
    except BaseExceptionGroup as group:
        refused, rest = group.split((StartRefused, StoreError))
        if rest is not None:
            log.exception("daemon failed")
            return REFUSED
        _say(_first(refused))
        return REFUSED


def _paths(settings: Settings, *, demo: bool, state_dir: Path | None) -> Paths:
    """Where the files lie. A demo has a directory of its own, so that it never meets a real daemon's state."""
    if state_dir is None and demo:
        state_dir = Path(mkdtemp(prefix="pombal-demo-"))
    if state_dir is None:
        paths = resolve_paths(settings.daemon, os.environ)
    else:
        state_dir = state_dir.absolute()
        runtime = state_dir / "run" if settings.daemon.runtime_dir is None else Path(settings.daemon.runtime_dir)
        paths = replace(Paths(state_dir, state_dir), runtime=runtime)
    ensure(paths)
    return paths


@contextmanager
def _private_umask() -> Iterator[None]:
    """Files that are made inside (database, write-ahead log, lock) are for the daemon's user alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _first(group: BaseExceptionGroup[BaseException] | None) -> BaseException | None:
    error: BaseException | None = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _say(error: BaseException | None) -> None:
    sys.stderr.write(f"pombal: {error}\n")
