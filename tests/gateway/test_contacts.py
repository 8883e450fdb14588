"""Who is on WhatsApp: one person, whichever way the number is spelled."""

from collections.abc import Sequence

from pombal.gateway.contacts import found_by_spelling
from pombal.link.base import ContactInfo


def test_brazils_ninth_digit_leads_to_the_account_there_is() -> None:
    asked: list[list[str]] = []

    def look_up(spellings: Sequence[str]) -> dict[str, tuple[str, str | None]]:
        asked.append(list(spellings))
        return {
            "551188880002": ("551188880002@s.whatsapp.net", "1@lid"),
            "15550001111": ("15550001111@s.whatsapp.net", None),
        }

    found = found_by_spelling(["5511988880002", "15550001111", "5511977770003", "551188880002"], look_up)
    assert found == [
        ContactInfo("5511988880002", True, "551188880002@s.whatsapp.net", "1@lid"),
        ContactInfo("15550001111", True, "15550001111@s.whatsapp.net", None),
        ContactInfo("5511977770003", False),
        ContactInfo("551188880002", True, "551188880002@s.whatsapp.net", "1@lid"),
    ]
    assert asked == [["5511988880002", "551188880002", "15550001111", "5511977770003", "551177770003"]]
