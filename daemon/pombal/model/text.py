"""Text is made storable before it is recorded.

The recorder hands whole batches to SQLite as one JSON text. Two things do not survive that road: a NUL cuts a text
short, and a lone surrogate makes the row unreadable. Both are mended or refused here, at the door.
"""

import re
import unicodedata

from pombal.model.errors import Kind, PombalError, invalid

TEXT_MAX_CHARACTERS = 65_536  # WhatsApp's own limit for a text message
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def storable(text: str) -> str:
    """Text from the network: lone surrogates and NUL become U+FFFD."""
    if text.isascii():
        return text.replace("\0", REPLACEMENT) if "\0" in text else text
    return _LONE_SURROGATE.sub(REPLACEMENT, text).replace("\0", REPLACEMENT)


def sendable(text: str) -> str:
    """Text that a caller wants sent: NUL is refused, lone surrogates become U+FFFD.

    Raises PombalError: invalid for NUL, too_large beyond WhatsApp's limit.
    """
    if "\0" in text:
        raise invalid("the text holds a NUL character (U+0000), which WhatsApp cannot carry; remove it")
    if len(text) > TEXT_MAX_CHARACTERS:
        raise PombalError(
            Kind.TOO_LARGE, f"the text has {len(text)} characters; WhatsApp takes at most {TEXT_MAX_CHARACTERS}"
        )
    return _LONE_SURROGATE.sub(REPLACEMENT, text)


def fold(text: str) -> str:
    """For comparing as a person would: 'São' and 'sao' are one."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))
