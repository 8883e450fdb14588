"""Linking a phone: the QR code as it rotates, or a pairing code to type."""

import segno
from markupsafe import Markup
from starlette.responses import Response

from pombal.dashboard.app import Page
from pombal.dashboard.refusals import Refusal, about
from pombal.dashboard.views.status import can_play_phone, tone_of
from pombal.dashboard.visit import Visit
from pombal.model.errors import Kind, PombalError
from pombal.model.phone import parse_number
from pombal.model.results import LinkCode
from pombal.model.session import Session
from pombal.model.session_state import SessionStatus

PARTS = {"link": "link", "pair": "pair"}


def qr_svg(code: str) -> Markup:
    """The code as a drawing without styles of its own: dark on light in every theme, or cameras do not read it."""
    drawn = segno.make(code, micro=False, error="m").svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass="qr-line"
    )
    return Markup(drawn)  # noqa: S704  # drawn by segno out of modules; the code's text is not in it


async def show(visit: Visit) -> Response:
    return await _page(visit, pairing=None, problem=None)


async def pair(visit: Visit) -> Response:
    """A pairing code for a number. It is a secret: it stands in the answer itself, and in no address or cookie."""
    number = visit.field("phone_number") or ""
    try:
        with about("phone_number"):
            parse_number(number)
        pairing = await visit.ask("session.pair_code", name=visit.path("session"), phone_number=number)
    except PombalError as error:
        if error.kind in (Kind.UNAUTHORIZED, Kind.FORBIDDEN, Kind.NOT_FOUND):
            raise
        return await _page(visit, pairing=None, problem=visit.explain(error))
    return await _page(visit, pairing=pairing, problem=None)


async def _page(visit: Visit, pairing: LinkCode | None, problem: Refusal | None) -> Response:
    mark = await visit.mark()
    session = await visit.ask("session.get", name=visit.path("session"))
    code = await _code(visit, session)
    return visit.page(
        "link",
        PARTS,
        mark=mark,
        session=session,
        tone=tone_of(session.status, session.status_reason),
        code=code,
        qr=None if code is None else qr_svg(code.code),
        pairing=pairing,
        problem=problem,
        plays_phone=can_play_phone(session),
    )


async def _code(visit: Visit, session: Session) -> LinkCode | None:
    """The present code; None where none is shown, be it between two of them."""
    if session.status != SessionStatus.QRCODE:
        return None
    try:
        code: LinkCode = await visit.ask("session.qr", name=session.id)
    except PombalError as error:
        if error.kind != Kind.NOT_READY:
            raise
        return None
    return code


PAGES = [
    Page("/sessions/{session}/link", show),
    Page("/sessions/{session}/link", pair, "POST"),
]
