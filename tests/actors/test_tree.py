import pytest

from pombal.actors.mailbox import Mailbox
from pombal.actors.tree import ActorState, ActorTree, describe
from pombal.model.clock import Stamp


class TurnedClock:
    def __init__(self) -> None:
        self.now = Stamp(1_700_000_000_000, 5_000)

    def __call__(self) -> Stamp:
        return self.now


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def tree(clock: TurnedClock) -> ActorTree:
    return ActorTree(clock)


def test_an_entry_shows_the_actor_as_it_is(tree: ActorTree, clock: TurnedClock) -> None:
    info = tree.enter("one", "session", Mailbox[str]("session one", 64))
    info.state = ActorState.BACKING_OFF
    clock.now = Stamp(clock.now.wall_ms - 3_600_000, clock.now.mono_ms + 1500)  # the wall clock jumps back an hour
    info.crashed(ValueError("boom"))
    assert info.show().model_dump(mode="json") == {
        "name": "one",
        "kind": "session",
        "state": "backing_off",
        "mailbox_depth": 0,
        "mailbox_capacity": 64,
        "restarts": 0,
        "last_crash": {"error": "ValueError: boom", "at": "2023-11-14T21:13:20.000Z"},
        "uptime_seconds": 1.5,
        "memory_bytes": None,
    }


def test_an_actor_without_a_mailbox_shows_none(tree: ActorTree) -> None:
    shown = tree.enter("hub", "hub").show()
    assert (shown.mailbox_depth, shown.mailbox_capacity, shown.last_crash) == (0, 0, None)


def test_pages_are_sorted_and_meet_without_gaps(tree: ActorTree) -> None:
    for number in range(25):
        tree.enter(f"{number * 7 % 25:02}", "session")
    tree.enter("recorder", "recorder")
    seen, after = [], None
    while page := tree.page(after=after, limit=4):
        after = (page[-1].kind, page[-1].name)
        seen += [info.name for info in page]
    assert seen == ["recorder", *(f"{number:02}" for number in range(25))]
    assert [info.name for info in tree.page("session", limit=2)] == ["00", "01"]
    assert tree.page("unheard of") == []


def test_the_daemons_own_come_before_those_of_which_there_are_many(tree: ActorTree) -> None:
    for name, kind in (("gateway-1", "gateway"), ("ana", "session"), ("web", "web"), ("control", "control")):
        tree.enter(name, kind)
    assert [info.name for info in tree.page()] == ["control", "web", "gateway-1", "ana"]
    assert [info.name for info in tree.page(after=("web", "web"))] == ["gateway-1", "ana"]


def test_those_that_have_crashed_are_found_among_many(tree: ActorTree) -> None:
    for number in range(5):
        tree.enter(f"{number}", "session")
    tree.page()[3].crashed(ValueError("boom"))
    assert [info.name for info in tree.page(crashed=True)] == ["3"]
    assert [info.name for info in tree.page(crashed=False)] == ["0", "1", "2", "4"]


def test_one_name_of_a_kind_lives_once(tree: ActorTree) -> None:
    first = tree.enter("one", "session")
    with pytest.raises(ValueError, match="session named one"):
        tree.enter("one", "session")
    tree.leave(first)
    second = tree.enter("one", "session")
    tree.leave(first)  # long gone: must not take its successor out
    assert tree.page() == [second]


async def test_the_fullest_mailbox_of_each_kind(tree: ActorTree) -> None:
    boxes = [Mailbox[str](f"s{number}", 64) for number in range(3)]
    for number, box in enumerate(boxes):
        tree.enter(f"s{number}", "session", box)
        for _ in range(number):
            box._put("command", 5.0)
    tree.enter("hub", "hub")
    assert tree.max_depths() == {"session": 2}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("k"), "KeyError: 'k'"),
        (RuntimeError(), "RuntimeError"),
        (ExceptionGroup("g", [ExceptionGroup("h", [OSError("deep")]), ValueError()]), "OSError: deep"),
    ],
)
def test_errors_in_one_line(error: Exception, text: str) -> None:
    assert describe(error) == text


def test_a_crash_text_is_bounded_and_storable(tree: ActorTree) -> None:
    info = tree.enter("one", "session")
    info.crashed(ValueError("\0\ud800" + "x" * 10_000))
    assert info.last_crash is not None
    assert len(info.last_crash.error) == 500
    assert info.last_crash.error.startswith("ValueError: \ufffd\ufffdx")
