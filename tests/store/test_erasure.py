"""Erasing a person from the store: what goes, what stays, and that no byte of it is left once the file is anew."""

import random
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from pombal.model import changes, erasure_changes
from pombal.model.audit import masked
from pombal.model.changes import Change
from pombal.model.erasure import ErasureState
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageStatus, MessageType
from pombal.model.person import Person, parse_person
from pombal.model.removal_changes import RemovedMessages
from pombal.store.checks import CHECKS
from pombal.store.erasure_queries import unfinished_erasures
from pombal.store.event_log import events_after
from pombal.store.person_queries import (
    audit_of,
    events_of,
    everybody_called,
    look_through,
    rejected_of,
    sessions_naming,
)
from pombal.store.writer import StoreUnavailable
from tests.store.building import Store, queue, reach, receive

NUMBER, SHORT = "5511987654321", "551187654321"
LID = "777123412341234@lid"
NAME = "Zuleica Vandergriff"
HOME = f"{NUMBER}@s.whatsapp.net"
GROUP = "120363000000000001@g.us"
WORDS = [f"palavra{number}" for number in range(500)]


def whole(store: Store) -> Person:
    return everybody_called(store.connection, parse_person(NUMBER))


def erased(store: Store, person: Person) -> RemovedMessages:
    """Every step, in order, as the daemon takes them; what of the messages was removed."""
    at = store.clock()
    wanted = store.do(erasure_changes.WantErasure(at=at, id="E1", person=person, masked=masked(NUMBER)))
    media: set[str] = set()
    count = 0
    next_id: int | None = 1
    while next_id is not None:
        found = look_through(store.connection, person, next_id, wanted.up_to, mentions=True)
        gone = store.do(erasure_changes.EraseMessages(at=at, erasure="E1", message_ids=tuple(found.theirs)))
        store.do(erasure_changes.RedactMentions(at=at, person=person, message_ids=tuple(found.mentions)))
        count, media, next_id = count + gone.count, media | set(gone.media), found.next_id
    for look, change in (
        (events_of, lambda ids: erasure_changes.EraseEvents(at=at, seqs=ids)),
        (rejected_of, lambda ids: erasure_changes.EraseRejected(at=at, ids=ids)),
        (audit_of, lambda ids: erasure_changes.RedactAudit(at=at, person=person, ids=ids)),
    ):
        store.do(change(tuple(look(store.connection, person, 0, 100_000)[0])))
    keys = tuple(sessions_naming(store.connection, person))
    store.do(erasure_changes.EraseContacts(at=at, person=person, session_keys=keys))
    store.do(erasure_changes.ForgetPerson(at=at, erasure="E1", receipt={"removed": {"messages": count}}))
    return RemovedMessages(count, tuple(sorted(media)))


def scrub(store: Store) -> None:
    at, begins = store.clock(), True
    while store.do(erasure_changes.MergeSearch(at=at, pages=16, begins=begins)):
        begins = False
    store.writer.rewrite(lambda: True)
    assert store.writer.empty_log()
    store.do(erasure_changes.FinishErasures(at=at, erasures=("E1",)))


def bytes_on_disk(store: Store) -> Iterator[tuple[str, bytes]]:
    for path in store.path.parent.iterdir():
        yield path.name, path.read_bytes()


def traces(store: Store, *texts: str) -> list[tuple[str, str]]:
    return [
        (name, text)
        for name, data in bytes_on_disk(store)
        for text in texts
        for encoding in ("utf-8", "utf-16-le", "utf-16-be")
        if text.encode(encoding) in data
    ]


def from_them(store: Store, key: int, link_id: str, text: str | None, **fields: Any) -> Change:
    known: dict[str, Any] = {
        "chat_id": HOME, "canonical_id": HOME, "contact_number": NUMBER, "contact_lid": LID, "contact_name": NAME,
    }  # fmt: skip
    return receive(store.clock(), key, link_id, text, **(known | fields))


def test_a_person_is_known_by_all_their_names(store: Store) -> None:
    key = store.session().key
    store.commit(from_them(store, key, "A", "oi"))
    person = whole(store)
    assert person == Person(frozenset({NUMBER, SHORT}), frozenset({LID}))
    assert everybody_called(store.connection, parse_person(LID)) == person
    assert everybody_called(store.connection, parse_person("+55 11 8765-4321")) == person


def test_their_chat_and_what_they_wrote_in_groups_goes_and_the_rest_stays(store: Store) -> None:
    key = store.session().key
    store.commit(
        from_them(store, key, "A", "segredo"),
        queue(store.clock(), key, "B", "resposta", chat_id=HOME, contact_number=NUMBER),
        from_them(store, key, "C", "no grupo", chat_id=GROUP, participant=HOME),
        from_them(store, key, "D", "pelo lid", chat_id=GROUP, participant=LID, contact_number=None, canonical_id=None),
        receive(store.clock(), key, "E", "de outra pessoa", chat_id=GROUP, participant="5511888888888@s.whatsapp.net"),
        queue(store.clock(), key, "F", "ao grupo", chat_id=GROUP, contact_number=None),
    )
    assert erased(store, whole(store)).count == 4
    kept = store.rows("SELECT text_content FROM messages ORDER BY id")
    assert kept == [("de outra pessoa",), ("ao grupo",)]
    assert store.rows("SELECT * FROM contacts WHERE number = ?", NUMBER) == []


def test_what_others_wrote_stays_without_the_number(store: Store) -> None:
    key = store.session().key
    card = {"contact": {"name": NAME, "number": NUMBER, "vcard": f"TEL;waid={NUMBER}:+55 11 98765-4321"}}
    store.commit(
        from_them(store, key, "A", "oi"),
        receive(store.clock(), key, "B", f"o número dela é (11) 98765-4321, ou {NUMBER}"),
        receive(store.clock(), key, "C", f"ligue +55 (11) 98765-4321 @{LID.partition('@')[0]}!"),
        receive(store.clock(), key, "D", None, message_type=MessageType.CONTACT, content=card),
        receive(store.clock(), key, "E", f"pedido 1{NUMBER}"),
    )
    erased(store, whole(store))
    texts = [text for (text,) in store.rows("SELECT text_content FROM messages ORDER BY id")]
    assert texts == [
        "o número dela é [erased], ou [erased]", "ligue [erased] @[erased]!", None, f"pedido 1{NUMBER}",
    ]  # fmt: skip
    assert store.one("SELECT content FROM messages WHERE message_type = 'contact'") == '{"contact":null}'


def test_what_waits_for_them_is_given_up_and_not_taken_again(store: Store) -> None:
    key = store.session().key
    waiting = queue(store.clock(), key, "B", "resposta", chat_id=HOME, contact_number=NUMBER)
    store.commit(waiting)
    at = store.clock()
    store.do(erasure_changes.WantErasure(at=at, id="E1", person=parse_person(NUMBER), masked=masked(NUMBER)))
    report = store.commit(erasure_changes.EraseMessages(at=at, erasure="E1", message_ids=(1,)))
    (told,) = report.events
    assert (told.row.data or {})["status"] == MessageStatus.FAILED
    with pytest.raises(PombalError, match="erased") as refused:
        store.do(waiting)
    assert refused.value.kind == Kind.CONFLICT
    assert store.do(queue(store.clock(), key, "C", "nova", chat_id=HOME, contact_number=NUMBER)).created


def test_events_stay_and_say_nothing(store: Store) -> None:
    key = store.session().key
    store.commit(from_them(store, key, "A", "oi"), receive(store.clock(), key, "B", "outro"))
    store.commit(changes.TellGap(at=store.clock(), session_key=key, detail=f"of {NUMBER}"))
    last = store.one("SELECT max(seq) FROM events")
    erased(store, whole(store))
    told = {event.seq: event.object()["data"] for event in events_after(store.connection, 0, 100, 0).events}
    assert told[2] == told[4] == {"erased": True}
    assert told[3]["text_content"] == "outro"
    assert max(told) == last
    assert store.one("SELECT last_error FROM sessions") == "messages may have been lost: of [erased]"


def test_counters_and_statistics_keep_their_numbers(store: Store) -> None:
    key = store.session().key
    store.commit(from_them(store, key, "A", "oi"), queue(store.clock(), key, "B", chat_id=HOME, contact_number=NUMBER))
    store.commit(reach(store.clock.advance(50), key, "B", MessageStatus.DELIVERED))
    before = store.rows("SELECT * FROM latency_recent")
    erased(store, whole(store))
    assert store.rows("SELECT total_messages_received, total_messages_sent FROM sessions") == [(1, 1)]
    assert store.rows("SELECT * FROM latency_recent") == before
    assert [problem for _, check in CHECKS for problem in check(store.connection)] == []


def test_files_are_named_until_they_were_looked_at(store: Store) -> None:
    key, sha256 = store.session().key, "ab" * 32
    content = {"media": {"sha256": sha256, "mime_type": "image/png", "size_bytes": 1, "file_name": None}}
    store.commit(changes.PutMedia(at=store.clock(), sha256=sha256, size_bytes=1))
    store.commit(from_them(store, key, "A", None, message_type=MessageType.IMAGE, content=content))
    at = store.clock()
    store.do(erasure_changes.WantErasure(at=at, id="E1", person=whole(store), masked=masked(NUMBER)))
    assert store.do(erasure_changes.EraseMessages(at=at, erasure="E1", message_ids=(1,))).media == (sha256,)
    assert unfinished_erasures(store.connection)[0].media == (sha256,)
    store.do(erasure_changes.ForgetPerson(at=at, erasure="E1", receipt={}))
    (left,) = unfinished_erasures(store.connection)
    assert (left.state, left.media, left.person) == (ErasureState.SCRUBBING, (), None)


def test_one_person_is_erased_once_at_a_time(store: Store) -> None:
    at = store.clock()
    want = partial(erasure_changes.WantErasure, at=at, masked=masked(NUMBER))
    assert store.do(want(id="E1", person=parse_person(NUMBER))).id == "E1"
    assert store.do(want(id="E2", person=parse_person(SHORT))).id == "E1"
    assert store.do(want(id="E3", person=parse_person("5511888888888"))).id == "E3"


def test_a_rewrite_is_given_up_or_refused_without_room_and_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.session().key
    for part in range(10):
        store.commit(*[receive(store.clock(), key, f"{part}-{number}", "x" * 400) for number in range(500)])
    before = store.rows("SELECT * FROM messages")
    with pytest.raises(StoreUnavailable):
        store.writer.rewrite(lambda: False)
    monkeypatch.setattr("pombal.store.writer.os.statvfs", lambda path: SimpleNamespace(f_bavail=1, f_frsize=4096))
    with pytest.raises(StoreUnavailable, match="bytes of disk, and 4096 are free"):
        store.writer.rewrite(lambda: True)
    assert store.rows("SELECT * FROM messages") == before
    store.do(receive(store.clock(), key, "after it"))  # the writer's temporary view is there again
    assert store.one("SELECT count(*) FROM messages") == len(before) + 1


def test_no_byte_is_left(store: Store) -> None:
    """Rows that grow, move between pages and are merged leave copies of themselves where nobody looks."""
    dice = random.Random(1)
    key = store.session().key
    waiting: list[str] = []
    for number in range(40):
        batch = [_anybody(store, key, dice, 50 * number + place, waiting) for place in range(50)]
        store.commit(*batch)
        reached, waiting[:] = waiting[:100], waiting[100:]
        store.commit(*[reach(store.clock.advance(3), key, name, MessageStatus.DELIVERED) for name in reached])
    store.commit(
        changes.KeepRejected(at=store.clock(), session_key=key, source="x", raw=f'{{"from": "{NUMBER}"}}', reason="?"),
        changes.NoteCall(
            at=store.clock(),
            method="message.cancel",
            outcome="ok",
            caller={"name": "x", "role": "admin"},
            target={"message_id": f"wa-{NUMBER}"},
        ),
    )
    known = (NUMBER, SHORT, LID.partition("@")[0], NAME, "Vandergriff", "alvejado", "segredissimo")
    assert traces(store, NUMBER, NAME, "segredissimo")
    assert erased(store, whole(store)).count > 20
    scrub(store)
    assert traces(store, *known, *(known_word.lower() for known_word in known)) == []
    assert [problem for _, check in CHECKS for problem in check(store.connection)] == []
    assert store.one("SELECT masked FROM erasures") == "5511*******21"
    assert store.one("SELECT count(*) FROM messages_search WHERE messages_search MATCH 'palavra1'") > 0


def _anybody(store: Store, key: int, dice: random.Random, number: int, waiting: list[str]) -> Change:
    at, is_them = store.clock.advance(7), dice.random() < 0.03
    text = " ".join(dice.choices(WORDS, k=dice.randrange(2, 30))) + (f" alvejado{number} segredissimo" * is_them)
    whom = NUMBER if is_them else f"55119{dice.randrange(10**8):08}"
    chat = {"chat_id": f"{whom}@s.whatsapp.net", "contact_number": whom}
    if dice.random() < 0.5:
        named = {
            "contact_name": NAME if is_them else "Maria", "canonical_id": chat["chat_id"],
            "contact_lid": LID if is_them else f"{dice.randrange(10**15):015}@lid",
        }  # fmt: skip
        return receive(at, key, f"3EB0{dice.getrandbits(64):016X}", text, message_id=f"M{number}", **chat, **named)
    waiting.append(f"m{dice.getrandbits(64):020}")
    sent: Change = queue(at, key, waiting[-1], text, **chat)
    return sent
