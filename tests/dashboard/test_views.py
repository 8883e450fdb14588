"""What pages show, worked out: plain functions on what the daemon answers."""

import itertools
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.dashboard.views import conversations, latency, machine, stages
from pombal.dashboard.views.charts import (
    TIMES_MAX,
    WIDTH,
    Axis,
    bars_of,
    line_of,
    nice_axis,
    nice_axis_ms,
    ticks_to,
    times_between,
)
from pombal.dashboard.views.sessions import line_of as session_line
from pombal.dashboard.views.status import actions_of, tone_of
from pombal.model.daemon_results import ActorFacts, CommitFacts
from pombal.model.latency_results import (
    LatencyBar,
    LatencyDistribution,
    LatencyPercentiles,
    LatencyPoint,
    LatencySeries,
    Percentiles,
    SessionFigures,
)
from pombal.model.message import Direction, Media, Message, MessageRow, MessageStatus, MessageType, Origin, show_message
from pombal.model.session import NOT_LIVE, LinkKind, Session, SessionRow, show_session
from pombal.model.session_state import EVERY, Reason, SessionStatus
from pombal.model.times import LATEST_MS

AT_MS = 1_795_906_086_000
DAY_MS = 86_400_000


def message(**fields: Any) -> Message:
    plain: dict[str, Any] = {
        "id": 7, "session_key": 1, "message_id": "m", "link_id": "L", "direction": Direction.OUTBOUND,
        "origin": Origin.API, "message_type": MessageType.TEXT, "chat_id": "5511999999999@s.whatsapp.net",
        "status": MessageStatus.DELIVERED, "happened_at": AT_MS, "queued_at": AT_MS, "dispatched_at": AT_MS + 10,
        "sent_at": AT_MS + 40, "delivered_at": AT_MS + 6040, "total_latency_ms": 6040, "is_latency_acceptable": False,
        "text_content": "Olá",
    }  # fmt: skip
    return show_message(MessageRow(**(plain | fields)), "ana")


def session(**fields: Any) -> Session:
    plain: dict[str, Any] = {
        "key": 1, "id": "ID", "name": "ana", "owner": "o", "link": LinkKind.SIMULATOR, "created_at": AT_MS,
        "updated_at": AT_MS, "settings": {}, "is_active": True,
    }  # fmt: skip
    return show_session(SessionRow(**(plain | fields)), NOT_LIVE, AT_MS)


class TestStages:
    def test_the_bar_is_as_long_as_its_parts_and_the_longest_of_a_late_one_is_to_blame(self) -> None:
        parts = stages.bar_of(message())
        assert [(part.stage, part.took_ms, part.is_guilty) for part in parts] == [
            ("queue", 10, False), ("link", 30, False), ("delivery", 6000, True),
        ]  # fmt: skip
        assert stages.guilty_stage(message()) == "delivery"

    def test_nobody_is_to_blame_where_it_was_in_time(self) -> None:
        assert not any(part.is_guilty for part in stages.bar_of(message(is_latency_acceptable=True)))

    @given(
        st.dictionaries(st.sampled_from([f"{stage}_ms" for stage in stages.STAGES]), st.none() | st.integers(0, 10**9))
    )
    def test_parts_follow_one_another_and_fill_the_bar(self, took: dict[str, int | None]) -> None:
        parts = stages.parts_of(took, is_late=True)
        known = [value for value in took.values() if value is not None]
        assert len(parts) == len(known)
        assert sum(part.took_ms for part in parts) == sum(known)
        assert sum(part.is_guilty for part in parts) == bool(parts)
        if parts:
            assert sum(part.width for part in parts) == pytest.approx(stages.WIDTH, abs=0.1)
            assert [part.x for part in parts] == sorted(part.x for part in parts)

    def test_a_message_that_is_not_measured_has_none(self) -> None:
        assert stages.bar_of(message(origin=Origin.DEVICE)) == []
        assert stages.guilty_stage(message(origin=Origin.DEVICE)) is None

    def test_link_is_another_way_for_what_comes_in(self) -> None:
        assert stages.stage_key("link", Direction.INBOUND) == "stage.link_in"
        assert stages.stage_key("link", Direction.OUTBOUND) == "stage.link"
        assert stages.stage_key("record", Direction.INBOUND) == "stage.record"


class TestSessions:
    @pytest.mark.parametrize("place", sorted(EVERY, key=str))
    def test_every_state_has_a_tone_and_something_to_do(self, place: tuple[SessionStatus, Reason | None]) -> None:
        status, reason = place
        assert tone_of(status, reason) in ("ok", "busy", "wait", "bad", "idle")
        assert actions_of(session(status=status, status_reason=reason))

    def test_what_is_stopped_can_only_be_started(self) -> None:
        assert actions_of(session(is_active=False)) == ["start"]

    def test_a_line_without_figures_shows_nothing_measured(self) -> None:
        line = session_line(session(), None, 5000)
        assert (line.sent_rate, line.p95_ms, line.queued, line.is_slow) == (0, None, 0, False)

    def test_rates_are_a_minute_and_slow_is_at_the_limit(self) -> None:
        slow = LatencyPercentiles(to_delivered=Percentiles(p95=5000.0))
        figures = SessionFigures(
            session="ana", session_id="ID", outbox_depth=3, outbound_messages=120, inbound_messages=30,
            measured_messages=150, high_latency_count=9, acceptable_rate=0.94, percentiles=slow,
        )  # fmt: skip
        line = session_line(session(), figures, 5000)
        assert (line.sent_rate, line.received_rate, line.queued, line.is_slow) == (2, 0.5, 3, True)


class TestConversations:
    @pytest.mark.parametrize(
        ("mime_type", "how"),
        [
            ("image/jpeg", "image"), ("Audio/OGG; codecs=opus", "audio"), ("video/mp4", "video"),
            ("image/svg+xml", "file"), ("text/html", "file"), ("", "file"), ("image/jpeg\r\nX: y", "file"),
        ],
    )  # fmt: skip
    def test_only_what_cannot_run_is_shown_in_the_page(self, mime_type: str, how: str) -> None:
        assert conversations.shown_as(mime_type) == how

    def test_whom_a_chat_is_with(self) -> None:
        title = conversations.title_of
        assert title("5511@s.whatsapp.net", "Iara", "5511") == "Iara"
        assert title("77@lid", None, "5511") == "+5511"
        assert title("5511@s.whatsapp.net", None, None) == "+5511"
        assert title("120363@g.us", None, None) == "120363@g.us"

    def test_a_preview_is_one_short_line(self) -> None:
        preview = conversations.preview_of(message(text_content="a\n\n b " + "x" * 65_000))
        assert preview.startswith("a b xxx")
        assert len(preview) == conversations.PREVIEW_CHARACTERS

    @pytest.mark.parametrize(
        ("content", "shown"),
        [
            ({"reaction": {"message_id": "m", "emoji": "❤️"}}, "❤️"),
            ({"location": {"latitude": 1.0, "longitude": 2.0, "name": "Loja Augusta"}}, "Loja Augusta"),
            ({"contact": {"name": "Iara", "number": "5511"}}, "Iara"),
            ({"media": Media(mime_type="a/b", size_bytes=1, sha256="0" * 64, file_name="nota.pdf")}, "nota.pdf"),
            ({}, ""),
        ],
    )
    def test_what_has_no_text_is_told_by_its_name(self, content: dict[str, Any], shown: str) -> None:
        named = message(text_content=None).model_copy(update=content)
        assert conversations.message_line(named).preview == shown

    def test_each_day_begins_once(self) -> None:
        newest_first = [message(id=n, queued_at=AT_MS + n * DAY_MS // 2) for n in (3, 2, 1, 0)]
        lines = conversations.thread_of(newest_first, UTC)
        assert [line.message.id for line in lines] == [0, 1, 2, 3]
        assert [line.day is not None for line in lines] == [True, True, False, True]

    @pytest.mark.parametrize(
        ("status", "dispatched_at", "cancel", "resend"),
        [
            (MessageStatus.QUEUED, None, True, False), (MessageStatus.QUEUED, AT_MS, False, False),
            (MessageStatus.FAILED, None, False, True), (MessageStatus.UNCERTAIN, AT_MS, False, True),
            (MessageStatus.READ, AT_MS, False, False),
        ],
    )  # fmt: skip
    def test_remedies_are_offered_where_they_help(
        self, status: MessageStatus, dispatched_at: int | None, cancel: bool, resend: bool
    ) -> None:
        line = conversations.message_line(message(status=status, dispatched_at=dispatched_at))
        assert (line.can_cancel, line.can_resend) == (cancel, resend)

    def test_in_a_group_every_message_says_who_wrote(self) -> None:
        said = {"direction": Direction.INBOUND, "participant": "5511@s.whatsapp.net", "contact_name": "Iara"}
        assert conversations.message_line(message(chat_id="1@g.us", **said)).sender == "Iara"
        assert conversations.message_line(message(direction=Direction.INBOUND)).sender is None

    @given(st.integers(0, LATEST_MS))
    def test_any_time_can_be_shown(self, at_ms: int) -> None:
        assert conversations.thread_of([message(queued_at=at_ms)], UTC)[0].day is not None


class TestCharts:
    @given(st.floats(0.001, 1e9))
    def test_an_axis_ends_at_a_round_number_that_is_not_below(self, value: float) -> None:
        axis = nice_axis(value)
        assert value <= axis.top * 1.000001
        assert axis.top <= value * 2 + 1e-9
        assert [tick.value for tick in ticks_to(axis)][-1] == pytest.approx(axis.top)

    def test_nothing_has_an_axis_too(self) -> None:
        assert nice_axis(0) == Axis(1, 1)

    @pytest.mark.parametrize(
        ("value_ms", "top_ms", "parts"),
        [
            (0, 1, 1), (730, 800, 4), (2340, 3000, 3), (4800, 5000, 5), (59_000, 60_000, 3), (61_000, 120_000, 4),
            (9_000_000, 10_800_000, 3),
        ],
    )  # fmt: skip
    def test_an_axis_of_time_ends_at_a_round_duration(self, value_ms: float, top_ms: float, parts: int) -> None:
        assert nice_axis_ms(value_ms) == Axis(top_ms, parts)

    @pytest.mark.parametrize(
        ("hours", "first", "apart_s"),
        [(1, "14:10", 600), (6, "15:00", 3600), (24, "15:00", 10_800), (7 * 24, "00:00", 86_400)],
    )
    def test_times_are_round_where_somebody_lives(self, hours: int, first: str, apart_s: int) -> None:
        zone = ZoneInfo("America/Sao_Paulo")
        since_ms = int(datetime(2026, 11, 28, 14, 3, tzinfo=zone).timestamp() * 1000)
        times = times_between(since_ms, since_ms + hours * 3_600_000, zone)
        assert f"{datetime.fromtimestamp(times[0] / 1000, zone):%H:%M}" == first
        assert {(after - before) // 1000 for before, after in itertools.pairwise(times)} == {apart_s}

    @given(st.integers(0, LATEST_MS - 400 * DAY_MS), st.integers(60_000, 60 * DAY_MS))
    def test_times_lie_within_and_are_few(self, since_ms: int, span_ms: int) -> None:
        times = times_between(since_ms, since_ms + span_ms, ZoneInfo("Europe/Berlin"))
        assert all(since_ms <= at <= since_ms + span_ms for at in times)
        assert len(times) <= TIMES_MAX + 2  # a day has 25 hours now and then

    def test_a_line_has_gaps_and_dots(self) -> None:
        line = line_of("x", [(0, 0), (0.1, 10), (0.2, None), (0.3, 5), (0.4, None)], 10)
        assert line.path == f"M0 200 L{0.1 * WIDTH:g} 0"
        assert line.dots == [(0.3 * WIDTH, 100)]

    def test_the_least_bar_can_be_seen_and_nothing_has_none(self) -> None:
        bars = bars_of([(0, 0), (0.5, 0.001), (0.9, 99)], 10, 3)
        assert [(bar.place, bar.height) for bar in bars] == [(1, 1.5), (2, 200)]


def series(*points: LatencyPoint, counts: dict[int | None, int] | None = None) -> LatencySeries:
    edges = [10, 100, 5000, 10_000, None]
    bars = [LatencyBar(up_to_ms=edge, count=(counts or {}).get(edge, 0)) for edge in edges]
    return LatencySeries(
        since=0, until=600_000, step_seconds=60, acceptable_ms=5000, results=list(points),
        distribution=LatencyDistribution(to_sent=bars, to_delivered=bars, to_read=bars, inbound=bars),
    )  # fmt: skip


class TestLatency:
    def test_where_nothing_happened_nothing_is_drawn(self) -> None:
        assert latency.time_chart(series(), UTC) is None
        assert latency.spread_of(series()) == []

    def test_lines_bars_and_the_target_share_one_axis(self) -> None:
        slow = LatencyPercentiles(to_delivered=Percentiles(p95=8000.0))
        point = LatencyPoint(
            at=60_000, outbound_messages=3, inbound_messages=1, measured_messages=4, high_latency_count=1,
            percentiles=slow,
        )  # fmt: skip
        chart = latency.time_chart(series(point), UTC)
        assert chart is not None
        assert chart.ticks[-1].value == 8000
        assert chart.target_y == 75
        assert (chart.most_messages, len(chart.volume), len(chart.late)) == (4, 1, 1)
        assert [len(line.dots) for line in chart.lines] == [0, 1, 0]
        assert (chart.times[0], chart.times[-1]) == ((0, 0), (100, 600_000))
        assert chart.peak == (8000, "to_delivered", 60_000)
        assert [(step.at, step.p95, step.late) for step in chart.steps] == [(60_000, {"to_delivered": 8000}, 1)]

    def test_the_spread_begins_and_ends_where_something_was(self) -> None:
        rows = latency.spread_of(series(counts={100: 2, 10_000: 8}))
        assert [(row.from_ms, row.up_to_ms, row.counts["inbound"]) for row in rows] == [
            (10, 100, 2), (100, 5000, 0), (5000, 10_000, 8),
        ]  # fmt: skip
        assert [row.widths["inbound"] for row in rows] == [25, 0, 100]
        assert [row.is_late for row in rows] == [False, False, True]


class TestMachine:
    def test_the_newest_commits_are_drawn(self) -> None:
        commits = [CommitFacts(at=n, changes=n + 1, seconds=n / 1000) for n in range(200)]
        chart = machine.commit_chart(commits)
        assert chart is not None
        assert (len(chart.durations), chart.first_at, chart.last_at) == (120, 80, 199)
        assert machine.commit_chart([]) is None

    @given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.99]))
    def test_a_rank_is_one_of_the_values(self, values: list[float], fraction: float) -> None:
        assert machine.nearest_rank(values, fraction) in values

    def test_a_mailbox_that_fills_is_seen(self) -> None:
        actor = ActorFacts(
            name="a", kind="session", state="backing_off", mailbox_depth=48, mailbox_capacity=64, restarts=1,
            last_crash=None, uptime_seconds=1, memory_bytes=None,
        )  # fmt: skip
        (line,) = machine.actor_lines([actor])
        assert (line.tone, line.fullness, line.crash) == ("wait", 0.75, None)
        (line,) = machine.actor_lines([actor.model_copy(update={"mailbox_capacity": 0})])
        assert line.fullness == 0

    def test_what_there_is_many_of_is_a_branch_of_the_tree(self) -> None:
        plain = {
            "state": "running", "mailbox_depth": 0, "mailbox_capacity": 0, "restarts": 0, "uptime_seconds": 1,
            "memory_bytes": None, "last_crash": "2026-09-21T13:13:19.412Z ValueError: bad frame",
        }  # fmt: skip
        named = (("http", "http"), ("gateway-1", "gateway"), ("ana", "session"), ("bia", "session"))
        lines = machine.actor_lines(ActorFacts.model_validate(plain | {"name": n, "kind": k}) for n, k in named)
        assert [(line.branch, line.begins) for line in lines] == [
            (None, False), ("gateway", True), ("session", True), ("session", False),
        ]  # fmt: skip
        assert lines[0].crash == (1_789_996_399_412, "ValueError: bad frame")
