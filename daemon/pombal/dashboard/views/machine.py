"""The machine room: commits as a chart, and actors with how worrying they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pombal.dashboard.views.charts import WIDTH, Bar, Tick, bars_of, nice_top, ticks_to
from pombal.model.daemon_results import ActorFacts, CommitFacts

COMMITS_SHOWN = 120
CHART_HEIGHT = 90.0
_TONES = {"running": "ok", "starting": "busy", "backing_off": "wait", "cooling_down": "bad", "stopped": "idle"}


@dataclass(frozen=True, slots=True)
class CommitChart:
    """The newest commits, oldest first: how long each took (ms), and how many changes it carried."""

    durations: list[Bar]
    changes: list[Bar]
    duration_ticks: list[Tick]
    change_ticks: list[Tick]
    first_at: int
    first_x: float
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
    slowest, largest = nice_top(max(took)), nice_top(max(carried))
    width = WIDTH / COMMITS_SHOWN - 1
    return CommitChart(
        durations=bars_of(list(zip(lefts, took, strict=True)), slowest, width, CHART_HEIGHT),
        changes=bars_of(list(zip(lefts, carried, strict=True)), largest, width, CHART_HEIGHT),
        duration_ticks=ticks_to(slowest, CHART_HEIGHT, 2),
        change_ticks=ticks_to(largest, CHART_HEIGHT, 2),
        first_at=shown[0].at,
        first_x=round(lefts[0] * WIDTH, 1),
        last_at=shown[-1].at,
    )


def nearest_rank(values: Iterable[float], fraction: float) -> float | None:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))] if ordered else None


@dataclass(frozen=True, slots=True)
class ActorLine:
    actor: ActorFacts
    tone: str
    fullness: float


def actor_line(actor: ActorFacts) -> ActorLine:
    full = actor.mailbox_depth / actor.mailbox_capacity if actor.mailbox_capacity else 0.0
    return ActorLine(actor, _TONES.get(actor.state, "idle"), full)
