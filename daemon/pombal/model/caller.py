"""Who calls, and what a method asks of them."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """admin: everything. user: their own sessions. reader: looks, but changes nothing and sees no secret."""

    ADMIN = "admin"
    USER = "user"
    READER = "reader"


class Access(StrEnum):
    """READ changes nothing and shows no secret; SECRET shows a code or a token; WRITE changes something."""

    READ = "read"
    SECRET = "secret"  # noqa: S105 - a level, no password
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever makes a request: ``name`` is for logs, ``owner`` limits a user to the sessions of that owner.

    uid, pid: of a process at the control socket. token_id: a token's `jti`, or a hash of what it says; no secret.
    """

    name: str
    role: Role
    owner: str | None = None
    uid: int | None = None
    pid: int | None = None
    token_id: str | None = None

    def may(self, access: Access) -> bool:
        return access == Access.READ or self.role != Role.READER
