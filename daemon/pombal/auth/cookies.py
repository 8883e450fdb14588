"""The cookie that carries a browser's token, for pages and for the WebSocket that they open."""

COOKIE = "pombal_token"


def token_in_cookies(header: str | None) -> str | None:
    """The token in a `Cookie` header (RFC 6265, 5.4); None where there is none.

    Browsers send it with whatever request leads here, so whoever takes it must check where the request comes from: a
    page by its form's own token, a WebSocket by its `Origin`.
    """
    for pair in (header or "").split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals and name == COOKIE:
            return value
    return None
