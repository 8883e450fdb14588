"""A store with a long past, made by the writer itself at a clock that runs fast: five million messages in minutes."""

import math
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pombal.config.settings import Settings
from pombal.model.changes import Advance, Change, CreateSession, QueueMessage, RecordMessage, SetSessionState
from pombal.model.clock import Stamp, system_clock
from pombal.model.ids import new_ulid
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionState
from pombal.store.connection import open_writer
from pombal.store.rollups import SPANS_S
from pombal.store.rows import MESSAGE_COLUMNS
from pombal.store.writer import Writer

BATCH = 2000
DAY_MS = 86_400_000
DAY_S, WEEK_S = 86_400, 604_800
OUTBOUND_SHARE = 0.3
COMMON = [
    "bom",
    "dia",
    "boa",
    "tarde",
    "obrigado",
    "pedido",
    "entrega",
    "prazo",
    "por",
    "favor",
    "ainda",
    "nota",
    "fiscal",
]
KINDS = (MessageType.IMAGE, MessageType.AUDIO, MessageType.DOCUMENT)


class Past:
    """The clock of the filling: from days ago up to now."""

    def __init__(self, days: float) -> None:
        self.now_ms = system_clock().wall_ms - round(days * DAY_MS)
        self._mono_ms = 0

    def pass_by(self, milliseconds: float) -> None:
        self.now_ms += round(milliseconds)
        self._mono_ms += round(milliseconds)

    def __call__(self) -> Stamp:
        return self.after(0)

    def after(self, milliseconds: float) -> Stamp:
        return Stamp(self.now_ms + round(milliseconds), self._mono_ms + round(milliseconds))


def fill(path: Path, messages: int, sessions: int, days: int, seed: int = 1) -> None:
    """sessions of the owner `bench` (and as many of `other`), paired, with so many messages over the last days.

    The writer itself makes the last day; the days before are copies of it, in every table that is read here.
    """
    settings = Settings()
    connection = open_writer(path, settings.recorder, settings.store)
    connection.execute("PRAGMA synchronous = OFF")  # whoever pulls the plug fills it again
    a_day = messages // days
    # Ids grow with time: the copies lie below.
    connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('messages', ?)", [a_day * (days - 1)])
    past = Past(days=1)
    writer = Writer(connection, past, acceptable_ms=5000)
    _create(writer, past, sessions)
    dice = random.Random(seed)  # noqa: S311  # the same past each time
    words = [*COMMON, *(f"palavra{number}" for number in range(20_000))]
    for first in range(0, a_day, BATCH):
        count = min(BATCH, a_day - first)
        changes = list(_batch(dice, words, past, first, count, sessions, DAY_MS / a_day))
        for start in range(0, len(changes), BATCH):
            refused = [
                answer for answer in writer.commit(changes[start : start + BATCH]).answers if _is_refusal(answer)
            ]
            if refused:
                raise refused[0]
    writer.spread_rollups()
    for table in _COLUMNS:
        connection.execute(f"CREATE TEMP TABLE last_{table} AS SELECT * FROM {table}")
    for age in range(1, days):
        _copy(connection, age, a_day)
    connection.execute("INSERT INTO messages_search (messages_search) VALUES ('optimize')")
    connection.execute("PRAGMA optimize")
    writer.checkpoint()
    writer.close()


_ADDED = {
    "latency_rollups": ("messages", "measured", "late", "sum_ms"),
    "latency_histograms": ("count",),
}
_COLUMNS = {
    "latency_rollups": "messages, measured, late, sum_ms, max_ms",
    "latency_histograms": "bucket, count",
}
_STAMPS = (
    "queued_at",
    "dispatched_at",
    "sent_at",
    "delivered_at",
    "read_at",
    "failed_at",
    "received_at",
    "happened_at",
)


def _copy(connection: sqlite3.Connection, age: int, a_day: int) -> None:
    """The last day once more, so many days earlier."""
    taken = {"id": f"id - {age * a_day}", "message_id": f"message_id || '-{age}'", "link_id": f"link_id || '-{age}'"}
    taken |= {stamp: f"{stamp} - {age * DAY_MS}" for stamp in _STAMPS}
    columns = ", ".join(MESSAGE_COLUMNS)
    values = ", ".join(taken.get(column, column) for column in MESSAGE_COLUMNS)
    newest = "(SELECT seq FROM sqlite_sequence WHERE name = 'messages')"
    connection.execute("BEGIN")
    connection.execute(
        f"INSERT INTO messages ({columns}) SELECT {values} FROM messages WHERE id > {newest} - {a_day} ORDER BY id"
    )
    spans = {span_s: span_s for span_s in SPANS_S if span_s > 60 or age < 7}  # minutes are kept for a week
    spans[WEEK_S] = DAY_S  # the days of one week may have been copied into two
    for table, columns in _COLUMNS.items():
        adding = ", ".join(f"{column} = {column} + excluded.{column}" for column in _ADDED[table])
        adding += ", max_ms = max(max_ms, excluded.max_ms)" if "max_ms" in columns else ""
        for span_s, made_of_s in spans.items():
            connection.execute(
                f"INSERT INTO {table} (session_key, span_s, starts_at, measure, {columns}) "
                f"SELECT session_key, {span_s}, earlier - earlier % {span_s * 1000}, measure, {columns} "
                f"FROM (SELECT *, starts_at - {age * DAY_MS} AS earlier FROM temp.last_{table}) "
                f"WHERE span_s = {made_of_s} ON CONFLICT DO UPDATE SET {adding}"
            )
    connection.execute("COMMIT")


def _is_refusal(answer: Any) -> bool:
    return isinstance(answer, Exception)


def _create(writer: Writer, past: Past, sessions: int) -> None:
    for owner in ("bench", "other"):
        created = writer.commit(
            [
                CreateSession(
                    at=past(), id=new_ulid(), name=f"{owner}-{number}", owner=owner, link=LinkKind.SIMULATOR,
                    is_active=owner == "bench",
                )
                for number in range(sessions)
            ]
        )  # fmt: skip
        paired = [
            SetSessionState(at=past(), session_key=row.key, state=SessionState(identity=f"55119{row.key:08d}"))
            for row in created.answers
        ]
        writer.commit(paired)


def _batch(
    dice: random.Random, words: list[str], past: Past, first: int, count: int, sessions: int, step_ms: float
) -> Iterator[Change]:
    for number in range(first, first + count):
        past.pass_by(step_ms * dice.expovariate(1))
        key = 1 + dice.randrange(2 * sessions)
        contact = f"55119{dice.randrange(5000):08d}"
        text = " ".join(words[min(int(dice.paretovariate(0.4)) - 1, len(words) - 1)] for _ in range(8)) + f" {number}"
        if dice.random() < OUTBOUND_SHARE:
            yield from _outbound(dice, past, number, key, contact, text)
        else:
            yield _inbound(dice, past, number, key, contact, text)


def _inbound(dice: random.Random, past: Past, number: int, key: int, contact: str, text: str) -> Change:
    message_type = dice.choice(KINDS) if dice.random() < 0.1 else MessageType.TEXT
    return RecordMessage(
        at=past(), session_key=key, message_id=new_ulid(), link_id=f"3EB0{number:016X}", direction=Direction.INBOUND,
        origin=Origin.API, message_type=message_type, chat_id=f"{contact}@s.whatsapp.net", contact_number=contact,
        contact_name=f"Maria {contact[-3:]}", text=text, sent_at_ms=past.now_ms - round(_lognormal(dice, 300, 6000)),
    )  # fmt: skip


def _outbound(dice: random.Random, past: Past, number: int, key: int, contact: str, text: str) -> Iterator[Change]:
    link_id = f"3EB1{number:016X}"
    yield QueueMessage(
        at=past(), session_key=key, message_id=new_ulid(), link_id=link_id, message_type=MessageType.TEXT,
        chat_id=f"{contact}@s.whatsapp.net", contact_number=contact, text=text, content=None, quoted_message_id=None,
        content_hash=f"{number:064x}",
    )  # fmt: skip
    after_ms = 0.0
    for status, median_ms, p99_ms in (
        (MessageStatus.SENT, 120, 900), (MessageStatus.DELIVERED, 400, 9000), (MessageStatus.READ, 30_000, 3e6),
    ):  # fmt: skip
        after_ms += _lognormal(dice, median_ms, p99_ms)
        yield Advance(at=past.after(after_ms), session_key=key, link_id=link_id, status=status)


def _lognormal(dice: random.Random, median: float, p99: float) -> float:
    return dice.lognormvariate(math.log(median), math.log(p99 / median) / 2.3263)
