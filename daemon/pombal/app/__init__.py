"""The composition root: builds every room, in order, and takes them down in the opposite one."""

from pombal.app.run import run

__all__ = ["run"]
