"""A short path, as Unix sockets need one."""

from tests.daemon.conftest import short_path

__all__ = ["short_path"]
