"""`pombal bench`: how much this host carries."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pombal.cli.columns import Columns
from pombal.cli.failures import CommandFailed
from pombal.cli.options import Json
from pombal.cli.output import NOTHING, console, print_json, show

_WHOLE_FROM = 1000

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from pombal.bench.figures import Figure, Summary
    from pombal.bench.suite import Benchmark


class Name(StrEnum):
    """What can be measured."""

    INGEST = "ingest"
    SEND = "send"
    LATENCY = "latency"
    FANOUT = "fanout"
    SESSIONS = "sessions"
    QUERY = "query"
    RECOVER = "recover"
    SCRAPE = "scrape"
    SCALE = "scale"
    ALL = "all"


def bench(
    name: Annotated[Name, typer.Argument(help="What to measure; all: one after the other.")],
    runs: Annotated[int, typer.Option(min=1, max=100, help="Runs of each; medians are shown.")] = 3,
    small: Annotated[bool, typer.Option("--small", help="A small size: seconds, not minutes, and rough.")] = False,
    directory: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Where the databases lie meanwhile: the disk to measure."),
    ] = None,
    messages: Annotated[
        int | None,
        typer.Option(min=10_000, help="For query: how many lie in the store. Five million take minutes and 4 GB."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how much this host carries, with daemons of its own.

    They run on the simulated network, in directories that are removed afterwards. A daemon that runs already is not
    asked, though it shares the machine. Beside each figure: what this host can do without Pombal, from the same run.
    """
    from pombal.store.sqlite_library import keep_no_memory_statistics

    keep_no_memory_statistics()  # as the daemon does: it is compared with what this process can do
    from pombal.bench.figures import summarize
    from pombal.bench.suite import SMALL, USUAL, sized

    suite = sized(SMALL if small else USUAL, messages)
    if messages is not None and name not in (Name.QUERY, Name.ALL):
        raise typer.BadParameter(f"{name} takes no --messages; only query does", param_hint="--messages")
    names = list(suite) if name is Name.ALL else [name.value]
    figures = [figure for each in names for figure in _figures(each, suite[each], runs, directory)]
    summaries = summarize(figures)
    if as_json:
        print_json({"results": [summary.as_json() for summary in summaries]})
    else:
        show(_table(summaries))


def _figures(name: str, benchmark: "Benchmark", runs: int, directory: Path | None) -> "Iterator[Figure]":
    import trio

    from pombal.bench.running import BenchmarkFailed

    for number in range(1, runs + 1):
        with (
            tempfile.TemporaryDirectory(prefix="pombal-bench-", dir=directory) as root,
            _progress(f"{name}, {number} of {runs}") as progress,
        ):
            try:
                yield from trio.run(partial(benchmark.run, Path(root), progress))
            except BenchmarkFailed as failure:
                raise CommandFailed(f"{name} could not be measured: {failure}") from failure


def _table(summaries: "list[Summary]") -> Columns:
    headings = ["FIGURE", "VALUE>", "UNIT", "FROM–TO>?", "HOST'S OWN>", "RATIO>", "WHICH IS~?"]
    return Columns(
        headings,
        [
            (
                summary.name,
                _number(summary.value),
                summary.unit,
                f"{_number(summary.lowest)}–{_number(summary.highest)}" if summary.runs > 1 else None,
                _number(summary.limit),
                None if summary.ratio is None else f"{summary.ratio:.2f}",
                summary.limit_is,
            )
            for summary in summaries
        ],
    )


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:.3g}"


class _Shown:
    """The progress of one run, on a terminal's stderr; nothing elsewhere."""

    def __init__(self, bars: "Bars", title: str) -> None:
        self._bars = bars
        self._title = title
        self._task = bars.add_task(title, total=None)

    def tell(self, doing: str) -> None:
        self._bars.update(self._task, description=f"{self._title}: {doing}", total=None, completed=0)

    @contextmanager
    def count(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        self._bars.update(self._task, description=f"{self._title}: {what}", total=total, completed=0)
        yield lambda done: self._bars.update(self._task, completed=done)


@contextmanager
def _progress(title: str) -> Iterator[_Shown]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    target = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=target, transient=True, disable=not target.is_terminal) as bars:
        yield _Shown(bars, title)
