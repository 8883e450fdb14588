"""The cookie that carries a token."""

import pytest

from pombal.auth.cookies import COOKIE, token_in_cookies


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (f"{COOKIE}=abc.def.ghi", "abc.def.ghi"),
        (f"theme=dark; {COOKIE}=abc; lang=en", "abc"),
        (f"x{COOKIE}=abc", None),
        ("", None),
        (None, None),
        ("\x00;;=", None),
    ],
)
def test_it_is_found_among_others_or_not_at_all(header: str | None, token: str | None) -> None:
    assert token_in_cookies(header) == token
