"""What the host can do without Pombal."""

from pathlib import Path

from pombal.bench.bare_disk import fsync_ms
from pombal.bench.bare_tasks import bare_tasks
from pombal.bench.listening import Heard


def test_a_durable_write_takes_time_and_leaves_nothing_behind(tmp_path: Path) -> None:
    took = fsync_ms(tmp_path / "synced", seconds=0.05)
    assert took
    assert min(took) > 0
    assert list(tmp_path.iterdir()) == []


def test_tasks_cost_memory() -> None:
    cost = bare_tasks(500)
    assert cost.seconds > 0
    assert 0 < cost.bytes_each < 1_000_000


def test_a_listener_finds_events_that_come_in_pieces() -> None:
    event = b'{"seq":%d,"type":"message.received","data":{"received_at":"2026-11-29T00:00:00.000Z"}}'
    data = event % 7 + b"," + event % 8
    heard = Heard()
    for start in range(0, len(data), 10):
        heard.take(data[start : start + 10])
    assert heard.seqs == [7, 8]
    assert heard.is_whole
    heard.take(event % 8)
    assert not heard.is_whole
