"""Who may do what from a browser: the cookie reads, and only a form of our own pages changes anything."""

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from pombal.model.errors import Kind, PombalError

FORM_TOKEN = "form_token"  # noqa: S105  # the name of a field
_SAME_SITE = ("same-origin", "none", "")


def form_token(token: str) -> str:
    """What our own forms carry: made of the cookie's token, so that no other site knows it, and a restart keeps it."""
    return hmac.new(token.encode(), b"pombal form", hashlib.sha256).hexdigest()


def check_form(token: str, given: str | None) -> None:
    """Raises PombalError (forbidden) for a form that is not from a page of this sign-in."""
    if not hmac.compare_digest(form_token(token).encode(), (given or "").encode()):
        raise _forbidden(FORM_TOKEN, "the form is not from a page of this sign-in; load the page again")


def check_origin(request: Request, public_url: str | None) -> None:
    """Raises PombalError (forbidden) for a change that another site asks for.

    Browsers say with every POST where it comes from (`Origin`, RFC 6454; `Sec-Fetch-Site`); what says neither is no
    browser, and carries no cookie that it was not given.
    """
    origin = request.headers.get("origin")
    own = {request.headers.get("host"), urlsplit(public_url or "").netloc or None}
    if origin is not None and (urlsplit(origin).netloc or None) not in own - {None}:
        raise _forbidden("origin", "the request comes from another site")
    if request.headers.get("sec-fetch-site", "") not in _SAME_SITE:
        raise _forbidden("origin", "the request comes from another site")


def _forbidden(field: str, reason: str) -> PombalError:
    return PombalError(Kind.FORBIDDEN, reason, errors=[{"field": field, "reason": reason}])


def safe_path(path: str | None) -> str:
    """Where to go after signing in: a path on this site, and nothing that a browser takes for another one."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")) or not path.isprintable():
        return "/"
    return path
