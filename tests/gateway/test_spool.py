"""The spool: what is appended is there until it is acknowledged, whatever dies in between."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pombal.gateway.spool import Download, DownloadState, Spool
from pombal.link import base
from pombal.link.base import LinkEvent
from pombal.model.message import MessageStatus

PATIENCE_S = 60


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool.db", max_events=3)
    yield opened
    opened.close()


def text(n: int) -> base.IncomingMessage:
    return base.IncomingMessage(link_id=f"id-{n}", chat_id="1@s.whatsapp.net", timestamp_s=n, text="olá 👋")


def file(n: int) -> Download:
    return Download(f"{n:064x}", n, "image/jpeg", b"\x01" * 8)


def test_events_come_back_as_they_went_in(spool: Spool) -> None:
    events: list[LinkEvent] = [
        text(1), base.Receipt(("a", "b"), MessageStatus.READ, 5), base.Sent("a", 4),
        base.Ended(base.EndKind.BANNED, "spam", 99),
    ]  # fmt: skip
    seqs = [spool.append(event, waits=False) for event in events]
    assert seqs == [1, 2, 3, 4]
    assert spool.read(0, 100) == list(zip(seqs, events, strict=True))
    assert spool.read(2, 1) == [(3, events[2])]


def test_what_is_acknowledged_leaves_and_its_number_is_never_used_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", max_events=100)
    for n in range(5):
        spool.append(text(n))
    spool.acknowledge(5)
    assert (spool.read(0, 100), spool.unacknowledged) == ([], 0)
    spool.close()
    again = Spool(tmp_path / "spool.db", max_events=100)
    assert again.append(text(6)) == 6
    again.close()


def test_a_full_spool_holds_the_callback_back_until_there_is_room(spool: Spool) -> None:
    for n in range(3):
        spool.append(text(n))
    appended = threading.Event()

    def callback() -> None:
        spool.append(text(4))
        appended.set()

    thread = threading.Thread(target=callback)
    thread.start()
    assert not appended.wait(0.05)
    spool.acknowledge(1)
    assert appended.wait(PATIENCE_S)
    thread.join()
    assert spool.unacknowledged == 3


def test_what_the_gateway_itself_has_to_say_does_not_wait_for_room(spool: Spool) -> None:
    for n in range(3):
        spool.append(text(n))
    assert spool.append(base.Ended(base.EndKind.REPLACED), waits=False) == 4


def test_nobody_waits_once_the_process_is_about_to_end(spool: Spool) -> None:
    for n in range(3):
        spool.append(text(n))
    thread = threading.Thread(target=lambda: spool.append(text(4)))
    thread.start()
    spool.drain()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert spool.unacknowledged == 4


def test_a_disk_that_takes_nothing_is_waited_for(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", max_events=100)
    locker = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
    spool._connection.execute("PRAGMA busy_timeout=1")
    locker.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError):
        spool.append(text(1), waits=False)
    thread = threading.Thread(target=lambda: spool.append(text(2)))
    thread.start()
    locker.execute("ROLLBACK")
    locker.close()
    thread.join(PATIENCE_S)
    assert [event for _, event in spool.read(0, 9)] == [text(2)]
    spool.close()


def test_how_things_stood_is_forgotten_and_what_was_said_is_not(spool: Spool) -> None:
    spool.append(base.Qr("code", 1), waits=False)
    spool.append(text(1), waits=False)
    spool.append(base.Ready(), waits=False)
    spool.append(base.Ended(base.EndKind.LOGGED_OUT), waits=False)
    spool.drop_passing()
    assert spool.read(0, 9) == [(2, text(1)), (4, base.Ended(base.EndKind.LOGGED_OUT))]
    assert spool.unacknowledged == 2


def test_what_no_frame_can_hold_is_told_as_garbage(spool: Spool) -> None:
    spool.append(base.Edited("1@s.whatsapp.net", "id", "x" * 2_000_000), waits=False)
    spool.append(base.Edited("1@s.whatsapp.net", "id", "\ud800"), waits=False)
    assert [type(event) for _, event in spool.read(0, 9)] == [base.Garbage, base.Garbage]


def test_a_file_is_noted_with_its_message_and_once(spool: Spool) -> None:
    spool.append(text(1), download=file(1))
    assert spool.download_failed(file(1).sha256) == 1
    spool.append(text(2), download=file(1))
    (waiting,) = spool.downloads(DownloadState.WAITING, 10)
    assert waiting == file(1)  # another chance: the newer message may have a link that still works
    spool.downloaded(file(1).sha256, 77)
    assert [each.size_bytes for each in spool.downloads(DownloadState.READY, 10)] == [77]
    spool.forget_download(file(1).sha256)
    assert spool.downloads(DownloadState.READY, 10) == []


def test_marks_outlive_the_process(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", max_events=1)
    spool.mark("paired", "5511")
    spool.mark("other", "x")
    spool.mark("other", None)
    spool.close()
    again = Spool(tmp_path / "spool.db", max_events=1)
    assert (again.marked("paired"), again.marked("other")) == ("5511", None)
    again.close()


def test_ids_that_whatsapp_gave_lead_to_ours(spool: Spool) -> None:
    spool.alias("3EB0THEIRS", "3EB0OURS")
    assert spool.link_id_of("3EB0THEIRS") == "3EB0OURS"
    assert spool.link_id_of("3EB0OURS") == "3EB0OURS"


def test_the_file_is_private(tmp_path: Path) -> None:
    Spool(tmp_path / "spool.db", max_events=1).close()
    assert (tmp_path / "spool.db").stat().st_mode & 0o777 == 0o600


class Crashes(RuleBasedStateMachine):
    """Appended, acknowledged, killed in any order: the spool holds exactly what was appended and not acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(mkdtemp())
        self.spool = Spool(self.directory / "spool.db", max_events=10_000)
        self.lives = 0
        self.n = 0
        self.held: list[tuple[int, LinkEvent]] = []
        self.files: dict[str, DownloadState] = {}

    @rule(with_file=st.booleans())
    def append(self, with_file: bool) -> None:
        self.n += 1
        download = file(self.n % 3) if with_file else None
        self.held.append((self.spool.append(text(self.n), download=download), text(self.n)))
        if download is not None:
            self.files.setdefault(download.sha256, DownloadState.WAITING)

    @rule()
    def stand(self) -> None:
        self.held.append((self.spool.append(base.Ready(), waits=False), base.Ready()))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        seq, _ = data.draw(st.sampled_from(self.held))
        self.spool.acknowledge(seq)
        self.held = [each for each in self.held if each[0] > seq]

    @rule()
    def connect_anew(self) -> None:
        self.spool.drop_passing()
        self.held = [each for each in self.held if each[1] != base.Ready()]

    @precondition(lambda self: self.files)
    @rule(data=st.data(), is_taken=st.booleans())
    def file_moves_on(self, data: st.DataObject, is_taken: bool) -> None:
        sha256 = data.draw(st.sampled_from(sorted(self.files)))
        if is_taken:
            self.spool.forget_download(sha256)
            del self.files[sha256]
        else:
            self.spool.downloaded(sha256, 5)
            self.files[sha256] = DownloadState.READY

    @rule()
    def killed(self) -> None:
        """As kill -9 leaves it: the files as they are, the log not moved into the database."""
        self.lives += 1
        copy = self.directory / f"life-{self.lives}"
        copy.mkdir()
        for name in ("spool.db", "spool.db-wal"):
            if (self.spool_directory / name).exists():
                shutil.copy(self.spool_directory / name, copy / name)
        self.spool.close()
        self.spool = Spool(copy / "spool.db", max_events=10_000)

    @property
    def spool_directory(self) -> Path:
        return self.directory / f"life-{self.lives - 1}" if self.lives > 1 else self.directory

    @invariant()
    def holds_what_it_should(self) -> None:
        assert self.spool.read(0, 10_000) == self.held
        assert self.spool.unacknowledged == len(self.held)
        assert [seq for seq, _ in self.held] == sorted({seq for seq, _ in self.held})
        for state in DownloadState:
            there = {each.sha256 for each in self.spool.downloads(state, 100)}
            assert there == {sha256 for sha256, at in self.files.items() if at == state}

    def teardown(self) -> None:
        self.spool.close()
        shutil.rmtree(self.directory)


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
