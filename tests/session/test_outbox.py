"""The outbox, one thing at a time; test_outbox_machine.py has random lives of it."""

from pombal.session.lanes import Lanes
from pombal.session.outbox import Outbox
from tests.session.rows import row, with_file

FREE = Lanes(1)


def next_id(outbox: Outbox) -> int | None:
    found = outbox.next(FREE)
    return None if found is None else found.id


def send_all(outbox: Outbox) -> list[int]:
    """Dispatch whatever may go; the ids, in order."""
    sent = []
    while (waiting := outbox.next(FREE)) is not None:
        outbox.dispatched(waiting, 0)
        sent.append(waiting.id)
    return sent


def test_a_new_message_goes_straight_into_the_window() -> None:
    outbox = Outbox(2)
    assert (outbox.must_read(FREE, 500), next_id(outbox)) == (False, None)
    outbox.offer(row(1))
    outbox.offer(row(2))
    assert not outbox.must_read(FREE, 500)
    assert send_all(outbox) == [1, 2]
    assert (outbox.depth, outbox.window_used()) == (2, 2)
    outbox.left(row(1))
    assert (outbox.depth, outbox.window_used(), list(outbox.in_flight)) == (1, 1, ["L2"])


def test_beyond_its_capacity_the_queue_is_read_when_its_turn_comes() -> None:
    outbox = Outbox(2)
    for number in (1, 2, 3, 4):
        outbox.offer(row(number))
    assert not outbox.must_read(FREE, 500)
    assert send_all(outbox) == [1, 2]
    assert outbox.must_read(FREE, 500)
    assert outbox.start_reading() == 2
    outbox.page([row(3), row(4)], 500)
    assert send_all(outbox) == [3, 4]
    assert not outbox.must_read(FREE, 500)


def test_a_full_page_is_followed_by_another() -> None:
    outbox = Outbox(2, depth=3)
    assert outbox.start_reading() == 0
    outbox.page([row(1), row(2)], 2)
    assert send_all(outbox) == [1, 2]
    assert outbox.must_read(FREE, 500)
    assert outbox.start_reading() == 2
    outbox.page([row(3)], 2)
    assert send_all(outbox) == [3]
    assert not outbox.must_read(FREE, 500)


def test_a_message_told_while_its_page_is_read_goes_out_once() -> None:
    outbox = Outbox(2, depth=1)
    outbox.start_reading()
    outbox.offer(row(2))
    outbox.page([row(1), row(2)], 500)
    assert send_all(outbox) == [1, 2]
    outbox.start_reading()
    outbox.page([row(1), row(2)], 500)
    assert send_all(outbox) == []
    assert not outbox.must_read(FREE, 500)


def test_what_left_while_a_page_was_read_is_not_taken_in() -> None:
    outbox = Outbox(2, depth=2)
    outbox.start_reading()
    outbox.left(row(1))
    outbox.page([row(1), row(2)], 500)
    assert send_all(outbox) == [2]


def test_a_resend_below_the_page_that_is_being_read_is_not_forgotten() -> None:
    outbox = Outbox(2, depth=2)
    outbox.start_reading()
    outbox.page([row(5)], 1)
    assert send_all(outbox) == [5]
    assert outbox.start_reading() == 5
    outbox.offer(row(3))  # sent again by a person
    outbox.page([row(6)], 500)
    assert send_all(outbox) == [6]
    assert outbox.must_read(FREE, 500)
    assert outbox.start_reading() == 2
    outbox.page([row(3), row(5), row(6)], 500)
    assert send_all(outbox) == [3]


def test_a_page_that_could_not_be_read_is_read_again() -> None:
    outbox = Outbox(2, depth=2)
    outbox.start_reading()
    outbox.offer(row(3))
    outbox.stop_reading()
    outbox.stop_reading()
    assert outbox.must_read(FREE, 500)
    outbox.start_reading()
    outbox.page([row(1), row(2), row(3)], 500)
    outbox.stop_reading()
    assert send_all(outbox) == [1, 2, 3]


def test_a_new_link_gets_the_queue_from_its_start() -> None:
    outbox = Outbox(4)
    outbox.offer(row(1))
    outbox.offer(row(2))
    outbox.dispatched(row(1), 0)
    outbox.start_over()
    assert (outbox.must_read(FREE, 500), outbox.window_used()) == (True, 0)
    outbox.start_reading()
    outbox.page([row(1), row(2)], 500)
    assert send_all(outbox) == [1, 2]


def test_an_empty_queue_is_not_read_at_a_new_link() -> None:
    outbox = Outbox(4)
    outbox.start_over()
    assert not outbox.must_read(FREE, 500)


def test_a_message_that_is_being_cancelled_does_not_go_out_but_those_behind_it_do() -> None:
    outbox = Outbox(4)
    for number in (1, 2):
        outbox.offer(row(number))
    assert outbox.hold(row(1))
    assert send_all(outbox) == [2]
    assert not outbox.hold(row(2))
    outbox.release(row(1))
    assert send_all(outbox) == [1]


def test_a_new_link_does_not_let_go_of_a_message_that_is_being_cancelled() -> None:
    outbox = Outbox(4)
    outbox.offer(row(1))
    assert outbox.hold(row(1))
    outbox.start_over()
    outbox.start_reading()
    outbox.page([row(1)], 500)
    assert next_id(outbox) is None
    outbox.left(row(1))
    assert outbox.depth == 0


def test_what_somebody_else_will_fail_is_passed_over() -> None:
    outbox = Outbox(4)
    outbox.offer(row(1))
    outbox.dropped(row(1))
    assert next_id(outbox) is None
    assert outbox.depth == 1


def test_the_overdue_leave_the_window_and_are_told_once() -> None:
    outbox = Outbox(4)
    for number in (1, 2):
        outbox.offer(row(number))
    outbox.dispatched(row(1), 1000)
    outbox.dispatched(row(2), 1500)
    assert outbox.overdue(31_000, 30_000) == []
    assert [late.id for late in outbox.overdue(31_001, 30_000)] == [1]
    assert outbox.overdue(31_002, 30_000) == []
    assert outbox.window_used() == 1
    outbox.left(row(1))  # it was acknowledged after all
    assert (outbox.depth, list(outbox.in_flight)) == (1, ["L2"])


# Chats that are held back


def test_a_busy_chat_holds_back_no_other() -> None:
    outbox, lanes = Outbox(9), Lanes(1)
    for number, chat in enumerate("aabab", 1):
        outbox.offer(row(number, chat_id=chat))
    lanes.hold("a")
    first = outbox.next(lanes)
    assert (first and first.id) == 3
    outbox.dispatched(row(3), 0)
    assert [next_id(outbox), outbox.must_read(lanes, 500)] == [1, False]
    lanes.free("a")
    assert send_all(outbox) == [1, 2, 4, 5]


def test_a_file_without_room_holds_back_its_own_chat_alone() -> None:
    outbox, lanes = Outbox(9), Lanes(1)
    for message in (with_file(1, "a"), with_file(2, "b"), row(3, chat_id="b"), row(4, chat_id="c")):
        outbox.offer(message)
    lanes.begin_upload(with_file(1, "a"))
    outbox.dispatched(with_file(1, "a"), 0, is_upload=True)
    free = outbox.next(lanes)
    assert (free and free.id) == 4
    outbox.dispatched(row(4), 0)
    assert outbox.next(lanes) is None
    lanes.end_upload(with_file(1, "a"))
    assert send_all(outbox) == [2, 3]


def test_two_addresses_of_one_person_are_one_lane() -> None:
    outbox, lanes = Outbox(9), Lanes(1)
    lanes.hold("5511988887777")
    outbox.offer(row(1, chat_id="5511988887777@s.whatsapp.net", contact_number="5511988887777"))
    outbox.offer(row(2, chat_id="551188887777@s.whatsapp.net", contact_number="5511988887777"))
    assert outbox.next(lanes) is None


def test_the_store_is_read_past_what_is_held_back_but_not_without_end() -> None:
    outbox, lanes = Outbox(2), Lanes(1)
    for number in range(1, 6):
        outbox.offer(row(number, chat_id="a" if number < 5 else "b"))
    lanes.hold("a")
    assert outbox.must_read(lanes, 3)
    assert not outbox.must_read(lanes, 2)
    assert outbox.start_reading() == 2
    outbox.page([row(3, chat_id="a"), row(4, chat_id="a")], 2)
    assert not outbox.must_read(lanes, 3)
    assert outbox.must_read(lanes, 5)
    outbox.start_reading()
    outbox.page([row(5, chat_id="b")], 2)
    reached = outbox.next(lanes)
    assert (reached and reached.id) == 5


def test_what_is_read_ahead_stays_in_commit_order() -> None:
    outbox, lanes = Outbox(1), Lanes(1)
    outbox.offer(row(5, chat_id="a"))
    lanes.hold("a")
    outbox.offer(row(3, chat_id="a"))  # sent again by a person
    assert outbox.start_reading() == 2
    outbox.page([row(3, chat_id="a"), row(5, chat_id="a")], 500)
    assert send_all(outbox) == [3, 5]


def test_a_file_on_its_way_is_not_overdue_before_the_link_has_it() -> None:
    outbox = Outbox(4)
    outbox.offer(with_file(1, "a"))
    outbox.dispatched(with_file(1, "a"), 1000, is_upload=True)
    assert outbox.overdue(500_000, 30_000) == []
    assert outbox.window_used() == 1
    outbox.handed_over(with_file(1, "a"), 500_000)
    assert outbox.overdue(530_000, 30_000) == []
    assert [late.id for late in outbox.overdue(530_001, 30_000)] == [1]


def test_a_link_that_is_ready_once_more_is_not_given_twice_what_it_is_being_given() -> None:
    outbox = Outbox(4)
    for message in (with_file(1, "a"), row(2)):
        outbox.offer(message)
        outbox.dispatched(message, 0)
    outbox.start_over(in_hand={"L1"})
    outbox.start_reading()
    outbox.page([with_file(1, "a"), row(2)], 500)
    assert send_all(outbox) == [2]


def test_a_page_that_was_asked_for_before_the_queue_was_started_over_passes_nobody_over() -> None:
    outbox = Outbox(1)
    for number in range(1, 4):
        outbox.offer(row(number))
    outbox.dispatched(row(1), 0)
    assert outbox.start_reading() == 1
    outbox.start_over()
    outbox.page([row(2), row(3)], 500)
    assert outbox.must_read(FREE, 500)
    assert outbox.start_reading() == 0
    outbox.page([row(1), row(2), row(3)], 500)
    assert send_all(outbox) == [1, 2, 3]


def test_a_recipient_who_became_known_is_the_one_that_is_written_to() -> None:
    outbox = Outbox(4)
    outbox.offer(row(1))
    outbox.readdress([row(1, chat_id="known"), row(2, chat_id="gone meanwhile")])
    assert [message.chat_id for message in outbox.waiting()] == ["known"]
