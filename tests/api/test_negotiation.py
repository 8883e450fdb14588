"""Which form of an answer is preferred."""

import pytest

from pombal.api.negotiation import preferred

OFFERED = ("application/json", "image/svg+xml", "image/png")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "application/json"), ("*/*", "application/json"), ("image/png", "image/png"), ("image/*", "image/svg+xml"),
        ("image/svg+xml;q=0.5, image/png", "image/png"), ("image/avif,image/*,*/*;q=0.8", "image/svg+xml"),
        ("text/html", None), ("application/json;q=0, */*;q=0.1", "image/svg+xml"), ("image/png;q=x", None),
        ("*/*;q=0", None), ("IMAGE/PNG; q=0.9, application/json; q=0.2", "image/png"), (",;,", None),
    ],
)  # fmt: skip
def test_forms(accept: str, form: str | None) -> None:
    assert preferred(accept, OFFERED) == form
