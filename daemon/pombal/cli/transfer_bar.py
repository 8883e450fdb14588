"""A bar for files on their way, on a terminal's stderr; nothing elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pombal.cli.output import console


@contextmanager
def transfer_bar(what: str, size_bytes: int) -> Iterator[Callable[[int], None]]:
    """Shows how far it is; call what it yields with the bytes moved so far."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    target = console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=target, transient=True, disable=not target.is_terminal) as progress:
        task = progress.add_task(what, total=size_bytes)
        yield lambda done: progress.update(task, completed=done)
