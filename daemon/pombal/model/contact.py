"""A person as WhatsApp knows them: a phone number, a canonical address, a LID, a name; one contact for all of it."""

from dataclasses import dataclass, replace

from pombal.model.phone import LID_SERVER, is_e164, server_of


@dataclass(frozen=True, slots=True)
class Contact:
    """number: in its recorded spelling; canonical_id: the address under which WhatsApp has the account.

    lid: WhatsApp's other id for the same person, which does not show the number; name: what they call themselves.
    """

    number: str
    canonical_id: str
    lid: str | None = None
    name: str | None = None

    def told(self, lid: str | None, name: str | None) -> "Contact":
        """With what a message of theirs says; the same object where that is nothing new."""
        lid, name = lid or self.lid, name or self.name
        return self if (lid, name) == (self.lid, self.name) else replace(self, lid=lid, name=name)


def is_contact(number: str | None, canonical_id: str | None, lid: str | None) -> bool:
    """Whether these can be one person's: what a link makes up must not become a contact."""
    return (
        number is not None
        and is_e164(number)
        and canonical_id is not None
        and (lid is None or server_of(lid) == LID_SERVER)
    )
