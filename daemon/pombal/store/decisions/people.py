"""People: what a session learns of them, and the one chat in which all their messages lie.

A person writes under a number or under a LID, and Brazil's numbers have two spellings. Whoever is known by one of
them is known by all: the chat is the contact's canonical id, and the row keeps number and LID.
"""

from dataclasses import replace

from pombal.model import changes
from pombal.model.contact import Contact, is_contact
from pombal.model.message import MessageRow, MessageStatus
from pombal.model.phone import LID_SERVER, is_person, number_of, server_of
from pombal.store.workspace import Workspace


def learn(change: changes.LearnContacts, space: Workspace) -> list[MessageRow]:
    """Keep what WhatsApp answered about numbers, and address the messages that waited for it."""
    told = {contact.number: _answered(change.session_key, contact, space) for contact in change.contacts}
    waiting = (space.messages.get(row_id) for row_id in change.message_ids)
    return [
        _addressed(row, told[row.contact_number], space)
        for row in waiting
        if row is not None and row.status == MessageStatus.QUEUED and row.contact_number in told
    ]


def _answered(session_key: int, answer: Contact, space: Workspace) -> Contact:
    """WhatsApp's own answer goes before what was known: a number may have moved to another account."""
    known = space.contact(session_key, answer.number, None)
    contact = answer if known is None else replace(answer, lid=answer.lid or known.lid, name=answer.name or known.name)
    if contact != known:
        space.put_contact(session_key, contact)
    return contact


def _addressed(row: MessageRow, contact: Contact, space: Workspace) -> MessageRow:
    after = row.but(chat_id=contact.canonical_id, contact_lid=contact.lid, contact_name=contact.name, is_resolved=True)
    space.rewrite(after)
    return after


def recipient(change: changes.QueueMessage, space: Workspace) -> Contact | None:
    """To whom a send goes, if the session knows them already."""
    if not is_person(change.chat_id):
        return None
    return space.contact(change.session_key, change.contact_number, _lid(change.chat_id))


def at_home(change: changes.RecordMessage, space: Workspace) -> changes.RecordMessage:
    """The message with its contact's one address, and all else that is known of them; learns from it, too."""
    is_private = is_person(change.chat_id)
    address = change.chat_id if is_private else change.participant
    lid = change.contact_lid or _lid(address)
    contact = _learnt(change, lid, space)
    if contact is None:
        return change if lid == change.contact_lid else replace(change, contact_lid=lid)
    chat_id = contact.canonical_id if is_private else change.chat_id
    participant = contact.canonical_id if not is_private and is_person(address) else change.participant
    number, lid, name = contact.number, lid or contact.lid, change.contact_name or contact.name
    # Nearly every message is at home already, and a copy would be most of what it costs to know that.
    if (chat_id, participant, number, lid, name) == (
        change.chat_id, change.participant, change.contact_number, change.contact_lid, change.contact_name
    ):  # fmt: skip
        return change
    return replace(
        change, chat_id=chat_id, participant=participant, contact_number=number, contact_lid=lid, contact_name=name
    )


def _learnt(change: changes.RecordMessage, lid: str | None, space: Workspace) -> Contact | None:
    """The contact of a message that came. One that carries number and LID makes it known."""
    number, session_key = change.contact_number, change.session_key
    known = space.contact(session_key, number, lid)
    if known is not None and (lid, change.contact_name) == (known.lid, known.name):
        return known
    if not is_contact(number, change.canonical_id, lid):
        lid = None
    if known is None:
        if number is None or lid is None or change.canonical_id is None:
            return None
        after = Contact(number, change.canonical_id, lid, change.contact_name)
    else:
        after = known.told(lid, change.contact_name)
    if after is not known:
        space.put_contact(session_key, after)
    return after


def is_same_place(row: MessageRow, placed: changes.RecordMessage) -> bool:
    """Whether a recorded message lies where this one belongs, by whatever name it was addressed when it came."""
    return _is_same(row.chat_id, placed.chat_id, placed) and _is_same(row.participant, placed.participant, placed)


def _is_same(address: str, home: str, placed: changes.RecordMessage) -> bool:
    if address == home or not (is_person(address) and is_person(home)):
        return address == home
    number = number_of(address)
    return address == placed.contact_lid or (number is not None and number == placed.contact_number)


def is_in_chat(row: MessageRow, session_key: int, chat_id: str, space: Workspace) -> bool:
    """Whether a message lies in the chat that a link calls chat_id: by number or by LID, in either spelling."""
    if row.chat_id == chat_id:
        return True
    if not (is_person(row.chat_id) and is_person(chat_id)):
        return False
    number, lid = number_of(chat_id), _lid(chat_id)
    contact = space.contact(session_key, number, lid)
    if contact is not None and row.chat_id == contact.canonical_id:
        return True
    return (number is not None and row.contact_number == number) or (lid is not None and row.contact_lid == lid)


def _lid(address: str) -> str | None:
    return address if server_of(address) == LID_SERVER else None
