"""What `pombal top` shows: the most telling sessions first, in as many columns as the terminal has room for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pombal.cli.columns import Columns
from pombal.cli.daemon import sessions_by_status
from pombal.cli.output import ago, duration, milliseconds, percent, state
from pombal.model.session_state import SessionStatus

HEAD_LINES = 6
Totals = dict[str, tuple[int, int]]
"""Messages sent and received, by session id."""


@dataclass(kw_only=True)
class Look:
    """The results of one look, and what the look before counted."""

    at_s: float
    status: dict[str, Any]
    sessions: dict[str, Any]
    latency: dict[str, Any]
    before: Totals | None
    before_s: float | None
    # session.metrics of the sessions that are shown, by id
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)

    def totals(self) -> Totals:
        return {
            session["id"]: (session["total_messages_sent"], session["total_messages_received"])
            for session in self.sessions["results"]
        }

    def rates(self, session: dict[str, Any]) -> tuple[float, float] | None:
        """Sent and received a second since the look before; None where there was none or the session is new."""
        earlier = (self.before or {}).get(session["id"])
        if earlier is None or self.before_s is None or self.at_s <= self.before_s:
            return None
        now = session["total_messages_sent"], session["total_messages_received"]
        elapsed_s = self.at_s - self.before_s
        return (now[0] - earlier[0]) / elapsed_s, (now[1] - earlier[1]) / elapsed_s

    def results(self) -> dict[str, Any]:
        """As the daemon gave them, under the names of their methods."""
        return {
            "daemon.status": self.status,
            "session.list": self.sessions,
            "latency.stats": self.latency,
            "session.metrics": list(self.metrics.values()),
        }


def rows_that_fit(height: int) -> int:
    return max(1, height - HEAD_LINES)


def rows_to_show(look: Look, most: int) -> list[dict[str, Any]]:
    """Sessions in trouble first, then the busiest, then by name."""
    return sorted(look.sessions["results"], key=lambda session: _urgency(look, session))[:most]


def _urgency(look: Look, session: dict[str, Any]) -> tuple[bool, float, str]:
    rates = look.rates(session)
    return session["status"] != SessionStatus.ERROR, -sum(rates) if rates else 0.0, session["name"]


Cell = Callable[[Look, dict[str, Any]], str | Text | None]
COLUMNS: tuple[tuple[str, Cell], ...] = (
    ("session", lambda look, session: session["name"]),
    ("status", lambda look, session: state(session["status"], session["status_reason"])),
    ("out/s>", lambda look, session: _rate(look, session, 0)),
    ("in/s>", lambda look, session: _rate(look, session, 1)),
    ("queued>?", lambda look, session: str(look.metrics[session["id"]]["outbox_depth"])),
    ("delivered p95>?", lambda look, session: _p95(look, session, "to_delivered")),
    ("failed>?", lambda look, session: str(session["total_messages_failed"])),
    ("sent p95>?", lambda look, session: _p95(look, session, "to_sent")),
    ("in p95>?", lambda look, session: _p95(look, session, "inbound")),
    ("restarts>?", lambda look, session: str(session["restart_count"])),
    ("last activity>?", lambda look, session: ago(session["last_activity_at"])),
)


def render_top(look: Look) -> RenderableType:
    shown = [session for session in look.sessions["results"] if session["id"] in look.metrics]
    shown.sort(key=lambda session: _urgency(look, session))
    rows = [[cell_of(look, session) for _, cell_of in COLUMNS] for session in shown]
    return Group(*_head(look), "", Columns([heading for heading, _ in COLUMNS], rows), *_rest(look, len(shown)))


def _head(look: Look) -> list[Text]:
    status, latency = look.status, look.latency
    p95 = latency["percentiles"]
    return [
        Text(f"pombal {status['version']}, up {duration(status['uptime_seconds'])}, {status['outbox_depth']} to send"),
        Text("sessions ").append(sessions_by_status(status["sessions"])),
        Text(
            f"p95 in 15 min: sent {_ms(p95['to_sent'])}, delivered {_ms(p95['to_delivered'])}, "
            f"in {_ms(p95['inbound'])}; in time {percent(latency['acceptable_rate']) or '–'}"
        ),
    ]


def _ms(percentiles: dict[str, Any]) -> str:
    return milliseconds(percentiles["p95"]) or "–"


def _rest(look: Look, shown: int) -> list[Text]:
    hidden = sum(look.status["sessions"].values()) - shown
    return [Text(f"and {hidden} more", style="dim")] if hidden > 0 else []


def _rate(look: Look, session: dict[str, Any], which: int) -> str | None:
    rates = look.rates(session)
    return None if rates is None else f"{rates[which]:.1f}"


def _p95(look: Look, session: dict[str, Any], measure: str) -> str | None:
    return milliseconds(look.metrics[session["id"]]["latency"]["percentiles"][measure]["p95"])
