"""Signing in with a token, or by a link that is good once; and out."""

from starlette.responses import Response

from pombal.auth.cookies import COOKIE
from pombal.dashboard.app import Page
from pombal.dashboard.guard import safe_path
from pombal.dashboard.visit import Visit
from pombal.model.errors import Kind, PombalError

PATH = "/sign-in"


async def show(visit: Visit) -> Response:
    """A link's code is spent by the button, not by looking: mail programs and chats look at links ahead of people."""
    code, next_path = visit.query("code"), safe_path(visit.query("next"))
    visit.recognize()
    was_signed_in = visit.had_token or visit.query("ended") is not None
    has_ended = code is None and was_signed_in and visit.caller is None
    return visit.html("sign_in.html", code=code, next=next_path, problem="ended" if has_ended else None)


async def sign_in(visit: Visit) -> Response:
    after = safe_path(visit.field("next"))
    code, tokens = visit.field("code"), visit.site.tokens
    try:
        if code is not None:
            token, expires_at_ms = tokens.redeem(code)
        else:
            token = visit.field("token") or ""
            expires_at_ms = int(tokens.authenticate(token).expires_at_s * 1000)
    except PombalError as error:
        if error.kind != Kind.UNAUTHORIZED:
            raise
        return visit.html("sign_in.html", 401, code=None, next=after, problem="link" if code is not None else "token")
    response = visit.go(after)
    visit.keep_token(response, token, expires_at_ms)
    return response


async def sign_out(visit: Visit) -> Response:
    response = visit.go(PATH, "signed_out")
    response.delete_cookie(COOKIE)
    return response


PAGES = [
    Page(PATH, show, is_public=True),
    Page(PATH, sign_in, "POST", is_public=True),
    Page("/sign-out", sign_out, "POST"),
]
