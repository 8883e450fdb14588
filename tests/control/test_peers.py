"""Who may do what, by what the kernel says of the peer."""

import grp
import os
import socket
import struct

import pytest

from pombal.config.errors import StartRefused
from pombal.config.settings import ControlSettings
from pombal.control import peers
from pombal.control.peers import Peer, PeerRules, identify, peer_rules
from pombal.model.caller import Access, Role
from pombal.model.errors import Kind, PombalError

RULES = PeerRules(own_uid=500, admin_gid=10, read_gid=20)


@pytest.mark.parametrize(
    ("uid", "groups", "role"),
    [
        (0, {0}, Role.ADMIN),
        (500, {500}, Role.ADMIN),
        (1000, {1000, 10}, Role.ADMIN),
        (1000, {10, 20}, Role.ADMIN),
        (1000, {1000, 20}, Role.READER),
        (500, {20}, Role.ADMIN),
    ],
)
def test_roles(uid: int, groups: set[int], role: Role) -> None:
    caller = RULES.caller(Peer(7, uid, frozenset(groups)))
    assert (caller.role, caller.name) == (role, f"uid {uid} pid 7")


@pytest.mark.parametrize("rules", [RULES, PeerRules(own_uid=500)])
def test_everyone_else_is_refused(rules: PeerRules) -> None:
    with pytest.raises(PombalError, match="uid 1000 may not use this socket") as raised:
        rules.caller(Peer(7, 1000, frozenset({1000, 30})))
    assert raised.value.kind == Kind.FORBIDDEN


def test_a_reader_may_look() -> None:
    reader = RULES.caller(Peer(7, 1000, frozenset({20})))
    assert [access for access in Access if reader.may(access)] == [Access.READ]


def test_the_kernel_is_asked() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = identify(ours)
    assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
    assert peer.groups == {os.getegid(), *os.getgroups()}


class Options:
    """A socket of a peer in more groups than Python can ask for, or of an old kernel."""

    def __init__(self, uid: int, error: int) -> None:
        self.uid = uid
        self.error = error

    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes:
        if option == socket.SO_PEERCRED:
            return struct.pack("iII", 7, self.uid, 42)
        raise OSError(self.error, os.strerror(self.error))


def test_more_groups_than_fit_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getgrouplist", lambda _name, gid: [gid, 1, 2, 3])
    assert identify(Options(0, 34)).groups == {42, 1, 2, 3}
    assert identify(Options(2**31, 34)).groups == {42}  # nobody the user database knows


def test_an_old_kernel_knows_the_primary_group_only() -> None:
    assert identify(Options(0, 92)).groups == {42}
    with pytest.raises(OSError, match="descriptor"):
        identify(Options(0, 9))


def test_groups_by_name() -> None:
    name = grp.getgrgid(0).gr_name
    rules = peer_rules(ControlSettings(admin_group=name))
    assert rules == PeerRules(os.geteuid(), 0, None)
    assert peers.peer_rules(ControlSettings()) == PeerRules(os.geteuid())


@pytest.mark.parametrize("key", ["admin_group", "read_group"])
def test_a_group_that_does_not_exist(key: str) -> None:
    with pytest.raises(StartRefused, match=rf"\[control\] {key}: there is no group 'no-such'"):
        peer_rules(ControlSettings.model_validate({key: "no-such"}))
