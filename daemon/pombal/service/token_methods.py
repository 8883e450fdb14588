"""token.*: tokens of our own for the HTTP API."""

from urllib.parse import urlencode

from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind, PombalError
from pombal.service.deps import Deps

SIGN_IN_PATH = "/sign-in"


class TokenMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def create(self, params: p.TokenCreateParams, caller: Caller) -> r.TokenCreated:
        lifetime_s = params.expires_s or self._deps.live.current.auth.token_lifetime_s
        role = Role(params.role)
        link = self._sign_in_link(params.owner, role, lifetime_s) if params.sign_in_link else None
        token, expires_at_ms = self._deps.tokens.create(params.owner, role, lifetime_s)
        return r.TokenCreated(token=token, expires_at=expires_at_ms, sign_in_link=link)

    def _sign_in_link(self, owner: str, role: Role, lifetime_s: float) -> str:
        """Raises PombalError (unsupported) where no HTTP server is there to sign in at."""
        base = self._deps.live.current.http.public_url or self._deps.http_url()
        if base is None:
            raise PombalError(Kind.UNSUPPORTED, "nobody can sign in: HTTP is switched off ([http] enabled = true)")
        code = self._deps.tokens.sign_in_code(owner, role, lifetime_s)
        return f"{base.rstrip('/')}{SIGN_IN_PATH}?{urlencode({'code': code})}"
