"""systemd's notification protocol, sd_notify(3) and sd_listen_fds(3), in the little that the daemon needs of it."""

import os
import socket
import time
from collections.abc import MutableMapping
from types import TracebackType
from typing import Self

import structlog

from pombal.config.errors import StartRefused

log = structlog.get_logger()

FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START
STATUS_MAX_CHARACTERS = 200


class Notifier:
    """Tells the service manager how we are. Outside systemd everything is a no-op.

    The variables are taken out of the environment, so that no child speaks in our name. A message that cannot be
    delivered is logged and not tried again; none of them blocks.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = _address(environ.pop("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def is_heard(self) -> bool:
        """Whether somebody asked to be told."""
        return self._socket is not None

    def ready(self, status: str = "") -> None:
        """Start is complete, or a reload is."""
        self._send("READY=1", *_status(status))

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(*_status(text))

    def reloading(self) -> None:
        """The configuration is being read again; ready() ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str = "") -> None:
        self._send("STOPPING=1", *_status(status))

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, *assignments: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(assignments).encode(), self._address)
        except OSError as error:
            log.warning("systemd was not told", message_kind=assignments[0].partition("=")[0], error=str(error))


def _address(named: str) -> str:
    """A path, or a name in the abstract namespace, written with @ in the place of NUL."""
    return "\0" + named[1:] if named.startswith("@") else named


def _status(text: str) -> list[str]:
    line = " ".join(text.split())
    return [f"STATUS={line[:STATUS_MAX_CHARACTERS]}"] if line else []


def watchdog_interval_s(environ: MutableMapping[str, str]) -> float | None:
    """How often systemd wants a sign of life; None where it does not, or not from us. Taken out of the environment."""
    interval_us = environ.pop("WATCHDOG_USEC", "")
    pid = environ.pop("WATCHDOG_PID", "")
    if not interval_us.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(interval_us) / 1_000_000 or None


def listen_fds(environ: MutableMapping[str, str]) -> dict[str, int]:
    """Sockets that systemd opened for us, by FileDescriptorName; taken out of the environment, closed on exec.

    Raises StartRefused where two have one name, or one of them is not open.
    """
    pid, count, names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()) or not count.isdigit():
        return {}
    descriptors = range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count))
    given = names.split(":") if names else []
    named: dict[str, int] = {}
    for descriptor, name in zip(descriptors, [*given, *["unknown"] * len(descriptors)], strict=False):
        if name in named:
            raise StartRefused(f"systemd handed over two sockets named {name!r}; give each its FileDescriptorName=")
        named[name] = _kept_to_ourselves(descriptor)
    return named


def _kept_to_ourselves(descriptor: int) -> int:
    try:
        os.set_inheritable(descriptor, False)
    except OSError as error:
        raise StartRefused(f"LISTEN_FDS names descriptor {descriptor}, but it is not open") from error
    return descriptor
