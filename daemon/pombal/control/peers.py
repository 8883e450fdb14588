"""Who is at the other end of a Unix socket, by what the kernel says of the peer, and what it may do."""

import errno
import grp
import os
import pwd
import socket
import struct
from array import array
from dataclasses import dataclass
from typing import Protocol

from pombal.config.errors import StartRefused
from pombal.config.settings import ControlSettings
from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind, PombalError

_CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid
SO_PEERGROUPS = getattr(socket, "SO_PEERGROUPS", 59)  # asm-generic/socket.h; Python has no name for it
_GETSOCKOPT_MAX_BYTES = 1024  # what Python's getsockopt can take: 256 groups


class HasOptions(Protocol):
    """A socket, trio's or the standard library's."""

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Peer:
    """Who connected, as of then: what it became since does not matter."""

    pid: int
    uid: int
    groups: frozenset[int]

    @property
    def name(self) -> str:
        """For logs; not the user's name, because looking it up may ask a network service."""
        return f"uid {self.uid} pid {self.pid}"


@dataclass(frozen=True, slots=True)
class PeerRules:
    """Who may do what."""

    own_uid: int
    admin_gid: int | None = None
    read_gid: int | None = None

    def caller(self, peer: Peer) -> Caller:
        """Raises PombalError (forbidden)."""
        if peer.uid in (0, self.own_uid) or self.admin_gid in peer.groups:
            return Caller(peer.name, Role.ADMIN, uid=peer.uid, pid=peer.pid)
        if self.read_gid in peer.groups:
            return Caller(peer.name, Role.READER, uid=peer.uid, pid=peer.pid)
        raise PombalError(
            Kind.FORBIDDEN,
            f"uid {peer.uid} may not use this socket: only root, the daemon's own user, and members of [control] "
            "admin_group and read_group may (a new membership counts from the next login)",
        )


def peer_rules(settings: ControlSettings) -> PeerRules:
    """The rules as configured. Raises StartRefused for a group that does not exist."""
    return PeerRules(os.geteuid(), _gid("admin_group", settings.admin_group), _gid("read_group", settings.read_group))


def _gid(key: str, group: str | None) -> int | None:
    if group is None:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise StartRefused(
            f"[control] {key}: there is no group {group!r}; create it (groupadd {group}) or name another"
        ) from None


def identify(sock: HasOptions) -> Peer:
    """The peer of a connected Unix socket."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(credentials)
    return Peer(pid, uid, frozenset({gid, *_groups(sock, uid, gid)}))


def _groups(sock: HasOptions, uid: int, gid: int) -> list[int]:
    """The supplementary groups: SO_PEERCRED knows the primary one only."""
    try:
        return array("I", sock.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, _GETSOCKOPT_MAX_BYTES)).tolist()
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:  # before Linux 4.13
            return []
        if error.errno != errno.ERANGE:
            raise
    return _groups_of_user(uid, gid)


def _groups_of_user(uid: int, gid: int) -> list[int]:
    """Of somebody in more than 256 groups: as the user database has them."""
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return []
