"""One request of a browser: who asks, in which language, and what a page needs to answer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pombal.auth.cookies import COOKIE, token_in_cookies
from pombal.dashboard.formats import Formats, zone_of
from pombal.dashboard.guard import FORM_TOKEN, check_form, check_origin, form_token
from pombal.dashboard.refusals import Refusal, explain
from pombal.dashboard.site import Site
from pombal.dashboard.words import LANGUAGES, Words, choose, words_of
from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind, PombalError
from pombal.model.message import Message
from pombal.model.params import SendParams, parse_params
from pombal.service.catalog import METHODS

LANGUAGE_COOKIE, THEME_COOKIE, ZONE_COOKIE, FLASH_COOKIE = (
    "pombal_language", "pombal_theme", "pombal_zone", "pombal_flash",
)  # fmt: skip
THEMES = ("auto", "light", "dark")
FIELDS_MAX = 32
LINES_MAX = 500
PART = "_part"
BEYOND_THE_END = 2**62  # a place in the event log that no event reaches: asks where it ends, and reads nothing


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the event log ended when the page was made: from there on the browser listens."""

    seq: int
    log_id: str


@dataclass
class Visit:
    """``caller`` and ``token`` are set once it is known who asks; ``refused_by``: the method that last refused."""

    site: Site
    request: Request
    caller: Caller | None = None
    token: str = ""
    form: FormData = field(default_factory=FormData)
    refused_by: str | None = None

    # Who

    def identify(self) -> None:
        """Raises PombalError (unauthorized) for a browser that is not signed in, or no longer."""
        token = token_in_cookies(self.request.headers.get("cookie"))
        if token is None:
            raise PombalError(Kind.UNAUTHORIZED, "sign in first")
        self.caller = self.site.tokens.authenticate(token).caller
        self.token = token

    def recognize(self) -> None:
        """As identify, for a page that anybody may see."""
        with suppress(PombalError):
            self.identify()

    async def read_form(self, *, takes_file: bool) -> None:
        """Raises PombalError (forbidden) for a change that no page of this sign-in asks for."""
        check_origin(self.request, self._public_url)
        self.form = await self.request.form(max_files=int(takes_file), max_fields=FIELDS_MAX)
        if self.caller is not None:
            check_form(self.token, self.field(FORM_TOKEN))

    def close_form(self) -> None:
        """Let go of a file that was spooled to disk; without awaiting, so that nothing keeps it from being done."""
        for _, value in self.form.multi_items():
            if isinstance(value, UploadFile):
                value.file.close()

    @property
    def had_token(self) -> bool:
        """Whether this browser was signed in once, with a token that may have ended since."""
        return token_in_cookies(self.request.headers.get("cookie")) is not None

    @property
    def is_admin(self) -> bool:
        return self.caller is not None and self.caller.role == Role.ADMIN

    # What is asked

    def field(self, name: str) -> str | None:
        """A field of the form, without blanks around it; None where it is absent or empty."""
        value = self.form.get(name)
        return value.strip() or None if isinstance(value, str) else None

    def file(self, name: str) -> UploadFile | None:
        """A file of the form that is really there: browsers send an empty one for an empty field."""
        value = self.form.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    def query(self, name: str) -> str | None:
        return (self.request.query_params.get(name) or "").strip() or None

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    @property
    def part(self) -> str | None:
        """The part of the page that a module asks for, to put it into the page that is there already."""
        return self.query(PART)

    def limit(self, default: int) -> int:
        """How many lines to show: a module that has more of them in its page asks for as many again."""
        asked = self.query("limit") or ""
        return max(default, min(int(asked), LINES_MAX)) if asked.isascii() and asked.isdigit() else default

    # Asking the daemon

    async def ask(self, method: str, **raw: Any) -> Any:
        """The result of a method of the catalog; params that are None are left out. Raises PombalError."""
        entry, caller = METHODS[method], self._known()
        with self._refusing(method):
            if not caller.may(entry.access):
                raise PombalError(Kind.FORBIDDEN, f"{method} is not for {caller.role}")
            params = parse_params(entry.params, {name: value for name, value in raw.items() if value is not None})
            return await self.site.service.call(method, params, caller)

    async def send(self, **raw: Any) -> Message:
        """message.send, once it is committed. Raises PombalError for a refusal."""
        with self._refusing("message.send"):
            params = parse_params(SendParams, {k: v for k, v in raw.items() if v is not None})
            return (await self.site.service.send(params, self._known())).message

    @contextmanager
    def _refusing(self, method: str) -> Iterator[None]:
        try:
            yield
        except PombalError:
            self.refused_by = method
            raise

    async def mark(self) -> Mark:
        """Where the log ends now; taken before everything else that a live page shows, so that nothing is missed."""
        page = await self.ask("events.list", after=BEYOND_THE_END, limit=1)
        return Mark(page.last_seq, page.log_id)

    def _known(self) -> Caller:
        if self.caller is None:
            raise PombalError(Kind.UNAUTHORIZED, "sign in first")
        return self.caller

    # Answering

    def explain(self, error: PombalError) -> Refusal:
        """What a refusal means, and what to do about it, for whoever looks."""
        return explain(self.words, error, self.refused_by)

    @cached_property
    def words(self) -> Words:
        cookies = self.request.cookies
        return words_of(choose(cookies.get(LANGUAGE_COOKIE), self.request.headers.get("accept-language")))

    @cached_property
    def formats(self) -> Formats:
        return Formats(self.words, zone_of(self.request.cookies.get(ZONE_COOKIE)), self.site.clock().wall_ms)

    def html(self, template: str, http_status: int = 200, **context: Any) -> Response:
        """A page, or a part of one, of `templates/`."""
        page = self.site.templates.get_template(template)
        response = HTMLResponse(page.render(self._shared() | context), http_status)
        if FLASH_COOKIE in self.request.cookies and self.part is None:
            response.delete_cookie(FLASH_COOKIE)
        return response

    def page(self, name: str, parts: Mapping[str, str], **context: Any) -> Response:
        """The page of that name; or, where a module asked for one of its parts (name → template), that alone."""
        if self.part is None:
            return self.html(f"{name}.html", **context)
        if self.part not in parts:
            raise PombalError(Kind.NOT_FOUND, f"the page has no part {self.part[:40]!r}")
        return self.html(f"parts/{parts[self.part]}.html", **context)

    def go(self, path: str, done: str | None = None, **query: str) -> Response:
        """On to another page, after a change; ``done`` is the key of what that page says first."""
        response = RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)
        if done is not None:
            response.set_cookie(FLASH_COOKIE, done, max_age=60, httponly=True, samesite="strict")
        return response

    @property
    def _public_url(self) -> str | None:
        return self.site.live.current.http.public_url

    def keep_token(self, response: Response, token: str, expires_at_ms: int) -> None:
        """Sign in: the cookie lives as long as the token does."""
        lifetime_s = max(0, (expires_at_ms - self.site.clock().wall_ms) // 1000)
        # behind a proxy that has the certificate only the configuration knows that browsers come by https
        secure = self.request.url.scheme == "https" or (self._public_url or "").startswith("https:")
        response.set_cookie(
            COOKIE,
            token,
            max_age=lifetime_s,
            httponly=True,
            samesite="strict",
            secure=secure,
        )

    def _shared(self) -> dict[str, Any]:
        theme = self.request.cookies.get(THEME_COOKIE)
        flash = self.request.cookies.get(FLASH_COOKIE)
        return {
            "t": self.words,
            "f": self.formats,
            "asset": self.site.assets.url,
            "who": self.caller,
            "is_admin": self.is_admin,
            "form_token": form_token(self.token) if self.caller is not None else "",
            "here": self.request.url.path,
            "here_with_query": f"{self.request.url.path}?{self.request.url.query}".rstrip("?"),
            "theme": theme if theme in THEMES else "auto",
            "languages": LANGUAGES,
            "flash": flash if flash is not None and self.words.has(f"done.{flash}") else None,
            "file_max": self.site.live.current.media.max_bytes,
            "simulator": self.site.live.current.simulator.enabled,
        }
