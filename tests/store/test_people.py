"""People: whoever is known by one of their ids is known by all, and all their messages lie in one chat."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pombal.model import changes
from pombal.model.contact import Contact
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.store.contact_queries import chat_of
from tests.store.building import Store, create, queue, receive

LONG, SHORT = "5511988887777", "551188887777"
HOME = f"{SHORT}@s.whatsapp.net"
LID = "163219856654321@lid"
GROUP = "120363025@g.us"


def by_number(store: Store, link_id: str, text: str = "hi", **fields: Any) -> changes.RecordMessage:
    """As WhatsApp spells the number, with the LID beside it."""
    plain = {"chat_id": HOME, "contact_number": LONG, "contact_lid": LID, "canonical_id": HOME, "contact_name": "Zé"}
    return receive(store.clock(), 1, link_id, text, **(plain | fields))


def by_lid(store: Store, link_id: str, text: str = "hi", **fields: Any) -> changes.RecordMessage:
    """With nothing but the LID."""
    plain = {"chat_id": LID, "contact_number": None, "contact_lid": LID}
    return receive(store.clock(), 1, link_id, text, **(plain | fields))


def in_group(store: Store, link_id: str, participant: str, **fields: Any) -> changes.RecordMessage:
    return receive(store.clock(), 1, link_id, **({"chat_id": GROUP, "participant": participant} | fields))


def learn(store: Store, *contacts: Contact, message_ids: tuple[int, ...] = ()) -> Any:
    return store.do(changes.LearnContacts(at=store.clock(), session_key=1, contacts=contacts, message_ids=message_ids))


def places(store: Store) -> list[tuple[Any, ...]]:
    return store.rows("SELECT chat_id, contact_number, contact_lid FROM messages ORDER BY id")


@pytest.fixture
def store(store: Store) -> Store:
    store.session()
    return store


# Inbound


def test_who_is_known_by_number_and_lid_writes_in_one_chat_under_either(store: Store) -> None:
    store.commit(by_number(store, "a"))
    store.commit(by_lid(store, "b"), by_number(store, "c", chat_id=LID, contact_lid=None))
    assert places(store) == [(HOME, LONG, LID)] * 3
    assert store.message(1, "M-b").contact_name == "Zé"


def test_within_one_batch_too(store: Store) -> None:
    store.commit(by_lid(store, "before"), by_number(store, "a"), by_lid(store, "b"))
    assert places(store) == [(LID, None, LID), (HOME, LONG, LID), (HOME, LONG, LID)]


def test_a_lid_alone_keeps_its_own_chat(store: Store) -> None:
    store.commit(by_lid(store, "a", contact_lid=None))
    assert places(store) == [(LID, None, LID)]
    assert store.one("SELECT count(*) FROM contacts") == 0


def test_one_who_hides_behind_a_lid_but_tells_the_number_is_in_the_numbers_chat_at_once(store: Store) -> None:
    store.commit(by_number(store, "a", chat_id=LID))
    assert places(store) == [(HOME, LONG, LID)]


def test_both_spellings_of_a_brazilian_number_are_one_contact(store: Store) -> None:
    store.commit(by_number(store, "a"))
    other = f"{LONG}@s.whatsapp.net"
    store.commit(by_number(store, "b", chat_id=other, canonical_id=other, contact_lid=None))
    assert places(store) == [(HOME, LONG, LID)] * 2
    assert store.rows("SELECT number, canonical_id FROM contacts") == [(LONG, HOME)]


def test_in_a_group_it_is_the_participant(store: Store) -> None:
    store.commit(by_number(store, "a"))
    store.commit(in_group(store, "b", LID, contact_number=None), in_group(store, "c", HOME, contact_number=LONG))
    rows = store.rows("SELECT chat_id, participant, contact_number FROM messages WHERE chat_id = ?", GROUP)
    assert rows == [(GROUP, HOME, LONG)] * 2


@pytest.mark.parametrize("first", ["number", "lid"])
def test_the_same_message_by_lid_and_by_number_is_one_message(store: Store, first: str) -> None:
    told = [by_number(store, "a"), by_lid(store, "a", contact_lid=None)]
    told = told if first == "number" else [told[1], by_number(store, "a", chat_id=LID), told[0]]
    for change in told:
        store.commit(change)
    assert store.one("SELECT count(*) FROM messages") == 1


def test_and_in_a_group(store: Store) -> None:
    told = {"contact_number": LONG, "contact_lid": LID, "canonical_id": HOME}
    store.commit(in_group(store, "a", LID, contact_number=None))
    store.commit(in_group(store, "a", HOME, **told), in_group(store, "a", LID, **told))
    store.commit(
        in_group(store, "a", "99@lid", contact_number=None, message_id="other")
    )  # somebody else's, under the same id
    assert store.rows("SELECT participant FROM messages ORDER BY id") == [(LID,), ("99@lid",)]


def test_another_session_knows_nothing_of_it(store: Store) -> None:
    store.do(create(store.clock(), "two"))
    store.commit(by_number(store, "a"))
    store.commit(receive(store.clock(), 2, "b", chat_id=LID, contact_number=None))
    assert store.message(2, "M-b").chat_id == LID


def test_a_lid_that_moves_to_another_number_is_that_numbers(store: Store) -> None:
    store.commit(by_number(store, "a"))
    new = "5511977776666"
    address = f"{new}@s.whatsapp.net"
    store.commit(by_number(store, "b", chat_id=address, contact_number=new, canonical_id=address))
    store.commit(by_lid(store, "c"))
    assert store.message(1, "M-c").chat_id == address
    assert store.rows("SELECT number, lid FROM contacts ORDER BY number") == [(new, LID), (LONG, None)]


@pytest.mark.parametrize("number", ["", "12", "a\ufffdb", "0000000000000000"])
def test_what_is_no_number_becomes_no_contact(store: Store, number: str) -> None:
    store.commit(by_number(store, "a", contact_number=number))
    assert store.one("SELECT count(*) FROM contacts") == 0
    assert store.one("SELECT chat_id FROM messages") == HOME


def test_a_contacts_name_follows(store: Store) -> None:
    store.commit(by_number(store, "a"), by_number(store, "b", contact_name="José"), by_number(store, "c"))
    assert store.rows("SELECT name FROM contacts") == [("Zé",)]


def test_an_edit_and_a_deletion_find_their_message_by_either_name(store: Store) -> None:
    store.commit(by_number(store, "a"))
    for chat_id in (LID, HOME, f"{LONG}@s.whatsapp.net"):
        edited = store.do(
            changes.EditMessage(at=store.clock(), session_key=1, chat_id=chat_id, link_id="a", text=chat_id)
        )
        assert edited.text_content == chat_id
        revoked = store.do(changes.RevokeMessage(at=store.clock(), session_key=1, chat_id=chat_id, link_id="a"))
        assert revoked.id == edited.id
    for chat_id in ("99@lid", "5511900001111@s.whatsapp.net", GROUP, "x@s.whatsapp.net"):
        change = changes.EditMessage(at=store.clock(), session_key=1, chat_id=chat_id, link_id="a", text="no")
        assert store.do(change) is None


def test_an_edit_that_comes_twice_is_told_once(store: Store) -> None:
    store.commit(by_number(store, "a"))
    change = changes.EditMessage(at=store.clock(), session_key=1, chat_id=HOME, link_id="a", text="new")
    assert [store.do(change) is None for _ in range(2)] == [False, True]
    assert store.one("SELECT count(*) FROM events WHERE type = 'message.edited'") == 1


# What could not be read


def unreadable(store: Store, link_id: str, **fields: Any) -> changes.RecordMessage:
    return by_number(store, link_id, message_type=MessageType.UNKNOWN, **({"text": None} | fields))


def test_what_cannot_be_read_is_recorded_and_measured_nowhere(store: Store) -> None:
    row = store.do(unreadable(store, "a"))
    assert (row.message_type, row.total_latency_ms, row.is_latency_acceptable) == ("unknown", None, None)
    assert store.one("SELECT coalesce(sum(measured), 0) FROM latency_recent") == 0


def test_it_is_filled_in_when_it_can_be_read_and_that_is_told(store: Store) -> None:
    store.commit(by_number(store, "quoted"))
    before = store.do(unreadable(store, "a"))
    store.clock.advance(3_600_000)
    place = {"location": {"latitude": 1.5, "longitude": 2.5}}
    after = store.do(
        by_lid(
            store, "a", "at last", message_type=MessageType.LOCATION, content=place, quoted_link_id="quoted",
            message_id="another",
        )
    )  # fmt: skip
    kept = store.message(1, before.message_id)
    assert (kept.id, kept.message_type, kept.text_content, kept.content) == (before.id, "location", "at last", place)
    assert (kept.quoted_message_id, kept.delivered_at, kept.total_latency_ms) == ("M-quoted", before.delivered_at, None)
    assert after == kept
    ((data, message),) = store.rows("SELECT data, message FROM events WHERE type = 'message.edited'")
    assert (message, '"message_type":"location"' in data) == (before.id, True)
    assert store.do(by_number(store, "a", "again")) is None
    assert store.message(1, before.message_id).text_content == "at last"
    assert store.one("SELECT total_messages_received FROM sessions") == 2


def test_what_cannot_be_read_twice_or_after_it_was_read_changes_nothing(store: Store) -> None:
    store.commit(unreadable(store, "a"), by_number(store, "b", "read"))
    assert store.do(unreadable(store, "a")) is None
    assert store.do(unreadable(store, "b")) is None
    assert store.message(1, "M-b").text_content == "read"


def test_history_and_the_phones_own_messages_are_measured_nowhere(store: Store) -> None:
    store.commit(by_number(store, "a", origin=Origin.HISTORY))
    store.commit(by_number(store, "b", origin=Origin.DEVICE, direction=Direction.OUTBOUND))
    assert store.rows("SELECT total_latency_ms, is_latency_acceptable FROM messages") == [(None, None)] * 2
    assert store.one("SELECT coalesce(sum(measured), 0) FROM latency_recent") == 0


def test_a_reaction_names_its_message_by_our_id(store: Store) -> None:
    store.commit(by_number(store, "a"))
    for number, link_id in enumerate(("a", "unheard of")):
        content = {"reaction": {"link_id": link_id, "emoji": "👍"}}
        store.commit(by_number(store, f"r{number}", "", message_type=MessageType.REACTION, content=content))
    reactions = [(store.message(1, f"M-r{number}").content or {})["reaction"] for number in range(2)]
    assert reactions == [
        {"message_id": "M-a", "emoji": "👍", "link_id": "a"},
        {"message_id": None, "emoji": "👍", "link_id": "unheard of"},
    ]


# Outbound


def queued(store: Store, name: str, **fields: Any) -> MessageRow:
    address = {"chat_id": f"{LONG}@s.whatsapp.net", "contact_number": LONG}
    row: MessageRow = store.do(queue(store.clock(), 1, name, **(address | fields))).message
    return row


def test_a_send_to_somebody_known_goes_to_their_canonical_id_from_the_start(store: Store) -> None:
    store.commit(by_number(store, "a"))
    for name, to in (("m1", {}), ("m2", {"chat_id": LID, "contact_number": None})):
        row = queued(store, name, **to)
        assert (row.chat_id, row.contact_number, row.contact_lid) == (HOME, LONG, LID)
        assert (row.is_resolved, row.contact_name) == (True, "Zé")


def test_a_send_to_a_stranger_or_a_group_stays_as_it_is_addressed(store: Store) -> None:
    store.commit(by_number(store, "a"))
    stranger = queued(store, "m1", chat_id="5511900001111@s.whatsapp.net", contact_number="5511900001111")
    group = queued(store, "m2", chat_id=GROUP, contact_number=None)
    hidden = queued(store, "m3", chat_id="99@lid", contact_number=None)
    assert [row.chat_id for row in (stranger, group, hidden)] == ["5511900001111@s.whatsapp.net", GROUP, "99@lid"]
    assert [row.is_resolved for row in (stranger, group, hidden)] == [False] * 3


def test_an_answer_of_whatsapp_addresses_what_waits(store: Store) -> None:
    waiting, sent, other = queued(store, "m1"), queued(store, "m2"), queued(store, "m3", contact_number="5511900001111")
    store.commit(changes.Advance(at=store.clock(), session_key=1, link_id="L-m2", status=MessageStatus.SENT))
    ids = (waiting.id, sent.id, other.id, 10**6)
    (row,) = learn(store, Contact(LONG, HOME, LID), message_ids=ids)
    assert (row.id, row.chat_id, row.contact_lid, row.is_resolved) == (waiting.id, HOME, LID, True)
    assert store.message(1, "m1") == row
    assert store.message(1, "m2").chat_id == f"{LONG}@s.whatsapp.net"
    assert store.message(1, "m3").is_resolved is False


def test_whatsapps_answer_goes_before_what_was_known_and_forgets_nothing(store: Store) -> None:
    store.commit(by_number(store, "a"))
    moved = f"{LONG}@s.whatsapp.net"
    learn(store, Contact(LONG, moved))
    assert store.rows("SELECT canonical_id, lid, name FROM contacts") == [(moved, LID, "Zé")]


def test_resolving_changes_no_idempotency(store: Store) -> None:
    first = queued(store, "m1")
    learn(store, Contact(LONG, HOME, LID), message_ids=(first.id,))
    again = store.do(queue(store.clock(), 1, "m1", chat_id=f"{LONG}@s.whatsapp.net", contact_number=LONG))
    assert (again.created, again.message.id, again.message.chat_id) == (False, first.id, HOME)


def test_a_resolved_message_can_be_cancelled_and_sent_again(store: Store) -> None:
    row = queued(store, "m1")
    learn(store, Contact(LONG, HOME, LID), message_ids=(row.id,))
    store.do(changes.CancelMessage(at=store.clock(), session_key=1, message_id="m1"))
    again = store.do(changes.ResendMessage(at=store.clock(), session_key=1, message_id="m1"))
    assert (again.chat_id, again.is_resolved, again.status) == (HOME, True, "queued")


def test_contacts_go_with_their_session(store: Store) -> None:
    store.do(create(store.clock(), "two"))
    store.commit(by_number(store, "a"), receive(store.clock(), 2, "b", contact_lid=LID, canonical_id=HOME))
    store.commit(changes.DeleteSession(at=store.clock(), session_key=1, messages_deleted=0))
    assert store.rows("SELECT session_key FROM contacts") == [(2,)]


# Asked for


def test_a_chat_is_found_by_any_of_its_persons_addresses(store: Store) -> None:
    store.commit(by_number(store, "a"))
    for address in (HOME, f"{LONG}@s.whatsapp.net", LID):
        assert chat_of(store.connection, [1], address) == HOME
    for address in (GROUP, "99@lid", "5511900001111@s.whatsapp.net", "x@s.whatsapp.net"):
        assert chat_of(store.connection, [1], address) == address
    assert chat_of(store.connection, [2], LID) == LID
    assert chat_of(store.connection, None, LID) == LID


def test_a_chat_from_before_the_number_was_known_is_still_found(store: Store) -> None:
    store.commit(by_lid(store, "a"))
    store.commit(by_number(store, "b"))
    assert chat_of(store.connection, [1], LID) == LID


# Whatever comes in whatever order

PEOPLE = [(f"55119{number}", f"5511{number}", f"{number}@lid") for number in ("88881111", "88882222", "88883333")]
told = st.tuples(
    st.sampled_from(PEOPLE), st.sampled_from("abcdef"), st.sampled_from(["long", "short", "lid"]), st.booleans()
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(told, min_size=1, max_size=6), max_size=6))
def test_once_a_person_is_known_nothing_of_theirs_lies_elsewhere(batches: list[list[Any]]) -> None:
    with Store.temporary() as store:
        store.session()
        known: dict[str, str] = {}
        after_known: set[int] = set()
        for batch in batches:
            recorded = store.commit(*(_told(store, *each) for each in batch)).answers
            for (person, _, _, with_both), row in zip(batch, recorded, strict=True):
                if with_both and row is not None:
                    known.setdefault(person[0], row.chat_id)
                if row is not None and person[0] in known:
                    after_known.add(row.id)
        for row_id, number, chat_id in store.rows("SELECT id, contact_number, chat_id FROM messages"):
            if row_id in after_known:
                assert known[number] == chat_id


def _told(store: Store, person: tuple[str, str, str], link_id: str, way: str, with_both: bool) -> changes.RecordMessage:
    long, short, lid = person
    address = lid if way == "lid" else f"{long if way == 'long' else short}@s.whatsapp.net"
    by_number = with_both or way != "lid"
    return receive(
        store.clock(), 1, f"{long}-{link_id}", chat_id=address, contact_number=long if by_number else None,
        contact_lid=lid if with_both or way == "lid" else None,
        canonical_id=(address if way != "lid" else f"{short}@s.whatsapp.net") if by_number else None,
    )  # fmt: skip
