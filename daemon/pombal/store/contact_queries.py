"""Reading contacts: whom a session knows already."""

import sqlite3
from collections.abc import Collection

from pombal.model.contact import Contact
from pombal.store.statements import contacts_by_number


def known_contacts(connection: sqlite3.Connection, session_key: int, numbers: Collection[str]) -> dict[str, Contact]:
    """By number; only those that are known."""
    found = contacts_by_number(connection, [(session_key, number) for number in numbers])
    return {contact.number: contact for contact in found.values()}
