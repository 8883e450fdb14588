"""How a benchmark says how far it is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Where the command line shows it; nothing depends on it."""

    def tell(self, doing: str) -> None:
        """What is being done now, where nobody can say how much of it there is."""

    def count(self, what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A bar; call what it yields with how many of total are done."""


class Silent:
    """For tests and for --json."""

    def tell(self, doing: str) -> None:
        return

    @contextmanager
    def count(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda done: None
