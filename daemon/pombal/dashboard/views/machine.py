"""The machine room: commits as a chart, and actors with how worrying they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pombal.dashboard.views.charts import WIDTH, Axis, Bar, Tick, bars_of, nice_axis, ticks_to
from pombal.model.daemon_results import ActorFacts, CommitFacts
from pombal.model.times import parse_time

COMMITS_SHOWN = 120
CHART_HEIGHT = 90.0
BRANCHES = ("gateway", "session")
_TONES = {"running": "ok", "starting": "busy", "backing_off": "wait", "cooling_down": "bad", "stopped": "idle"}


@dataclass(frozen=True, slots=True)
class CommitChart:
    """The newest commits, oldest first: how long each took (ms), and how many changes it carried.

    ``places``: (x, width, the commit), for whoever points at one.
    """

    durations: list[Bar]
    changes: list[Bar]
    places: list[tuple[float, float, CommitFacts]]
    duration_ticks: list[Tick]
    change_ticks: list[Tick]
    first_at: int
    first_percent: float
    last_at: int


def commit_chart(commits: Sequence[CommitFacts]) -> CommitChart | None:
    """None before anything was committed."""
    shown = commits[-COMMITS_SHOWN:]
    if not shown:
        return None
    first = COMMITS_SHOWN - len(shown)  # the newest stands at the right end, however few there are
    lefts = [(first + place) / COMMITS_SHOWN for place in range(len(shown))]
    took = [commit.seconds * 1000 for commit in shown]
    carried = [float(commit.changes) for commit in shown]
    slowest, largest = nice_axis(max(took)).top, nice_axis(max(carried)).top
    width = WIDTH / COMMITS_SHOWN - 1
    return CommitChart(
        durations=bars_of(list(zip(lefts, took, strict=True)), slowest, width, CHART_HEIGHT),
        changes=bars_of(list(zip(lefts, carried, strict=True)), largest, width, CHART_HEIGHT),
        places=[
            (round(left * WIDTH, 1), round(width + 1, 1), commit) for left, commit in zip(lefts, shown, strict=True)
        ],
        duration_ticks=ticks_to(Axis(slowest, 2), CHART_HEIGHT),
        # there is no half of a change
        change_ticks=ticks_to(Axis(largest, 1 if largest % 2 else 2), CHART_HEIGHT),
        first_at=shown[0].at,
        first_percent=round(lefts[0] * 100, 2),
        last_at=shown[-1].at,
    )


def nearest_rank(values: Iterable[float], fraction: float) -> float | None:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))] if ordered else None


@dataclass(frozen=True, slots=True)
class ActorLine:
    """``branch``: what the daemon has many of, and this is one of; ``begins``: the first of them.

    ``crash``: (epoch ms, the exception in a line), of the last one.
    """

    actor: ActorFacts
    tone: str
    fullness: float
    branch: str | None
    begins: bool
    crash: tuple[int, str] | None


def actor_lines(actors: Iterable[ActorFacts]) -> list[ActorLine]:
    lines: list[ActorLine] = []
    before = None
    for actor in actors:
        branch = actor.kind if actor.kind in BRANCHES else None
        lines.append(_actor_line(actor, branch, begins=branch is not None and branch != before))
        before = branch
    return lines


def _actor_line(actor: ActorFacts, branch: str | None, *, begins: bool) -> ActorLine:
    full = actor.mailbox_depth / actor.mailbox_capacity if actor.mailbox_capacity else 0.0
    return ActorLine(actor, _TONES.get(actor.state, "idle"), full, branch, begins, _crash(actor))


def _crash(actor: ActorFacts) -> tuple[int, str] | None:
    if actor.last_crash is None:
        return None
    at, _, error = actor.last_crash.partition(" ")
    return parse_time(at, 0), error
