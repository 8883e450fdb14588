"""JSON Web Tokens (RFC 7519): what one says of its caller, and how our own are made."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from pombal.auth.keys import Key, Keys
from pombal.config.settings import AuthSettings
from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind, PombalError
from pombal.model.ids import new_ulid

TOKEN_MAX_CHARACTERS = 8192
OWNER_MAX_CHARACTERS = 128
JTI_MAX_CHARACTERS = 128
ACCESS, SIGN_IN = "access", "sign_in"
SIGN_IN_S = 600
SIGN_INS_MAX = 10_000
_OWN_KID = "pombal"
_OWN_CLAIMS = ("user_id",)
_NOT_VALID = "the token is not valid"
_NOT_OURS = "the token is not signed with this daemon's own secret, and no other key is configured ([auth])"
_BROKEN = (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError, KeyError)

SettingsNow = Callable[[], AuthSettings]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token stands for, and until when (epoch seconds). token_id: the same for the same token; no secret."""

    caller: Caller
    expires_at_s: float
    token_id: str


class Tokens:
    """Checks tokens and makes them. settings: the section as it is now. Thread-safe but for ``redeem``."""

    def __init__(self, keys: Keys, settings: SettingsNow, now_s: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._settings = settings
        self._now_s = now_s
        self._redeemed: dict[str, float] = {}

    def authenticate(self, token: str) -> Identity:
        """Who calls. Raises PombalError (unauthorized) for a token that is broken, foreign, expired or no access token.

        The identity holds until ``expires_at_s``, the clocks' leeway included for tokens that others have made.
        """
        claims, is_own = self._claims(token)
        # SimpleJWT's refresh tokens are signed with the same secret, and live for days.
        if claims.get("token_type", ACCESS) != ACCESS:
            raise _refused("the token is no access token")
        return self._identity(token, claims, is_own)

    def create(self, owner: str, role: Role, expires_s: float) -> tuple[str, int]:
        """(a token for owner, when it expires in epoch ms), signed with our own secret."""
        return self._sign(owner, role, expires_s, ACCESS, {})

    def sign_in_code(self, owner: str, role: Role, expires_s: float) -> str:
        """What stands in a sign-in link: good once, within ten minutes, for a token that lives for expires_s."""
        return self._sign(owner, role, SIGN_IN_S, SIGN_IN, {"lifetime": expires_s})[0]

    def redeem(self, code: str) -> tuple[str, int]:
        """A token for a sign-in code, as ``create`` gives it. Raises PombalError (unauthorized) the second time."""
        claims, is_own = self._claims(code)
        if not is_own or claims.get("token_type") != SIGN_IN:
            raise _refused("this is no sign-in link of this daemon")
        caller = self._identity(code, claims, is_own).caller
        self._forget_expired()
        if claims["jti"] in self._redeemed or len(self._redeemed) >= SIGN_INS_MAX:
            raise _refused("this sign-in link has been used; ask for another one")
        self._redeemed[claims["jti"]] = claims["exp"]
        return self.create(caller.owner or "", caller.role, claims["lifetime"])

    # Checking

    def _claims(self, token: str) -> tuple[dict[str, Any], bool]:
        """(the claims of a token whose signature and times hold, whether it is one of our own)."""
        if len(token) > TOKEN_MAX_CHARACTERS:
            raise _refused("the token is too long")
        try:
            is_own = jwt.get_unverified_header(token).get("kid") == _OWN_KID
            return self._decoded(token, is_own), is_own
        except jwt.ExpiredSignatureError:
            raise _refused("the token has expired") from None
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
            raise _refused("the token is meant for another service") from None
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
            raise _refused(_NOT_VALID if self._keys.operators else _NOT_OURS) from None
        except _BROKEN:
            raise _refused(_NOT_VALID) from None

    def _decoded(self, token: str, is_own: bool) -> dict[str, Any]:
        own = Key("HS256", self._keys.own_secret)
        # Without a key of the operator's, others may sign with ours: they have been given it.
        key = own if is_own else self._keys.operators or own
        settings = self._settings()
        audience, issuer = (None, None) if is_own else (settings.audience, settings.issuer)
        claims: dict[str, Any] = jwt.decode(
            token,
            key.value,
            # The key's own algorithm and no other: what the token says of itself must not choose.
            algorithms=[key.algorithm],
            audience=audience,
            issuer=issuer,
            leeway=_leeway_s(settings, is_own),
            options={
                "require": ["exp"],
                "verify_aud": audience is not None,
                "verify_sub": False,
                "verify_jti": False,
                # One of our own that was made in the future was made before this machine's clock was set back.
                "verify_iat": not is_own,
            },
        )
        return claims

    def _identity(self, token: str, claims: dict[str, Any], is_own: bool) -> Identity:
        settings = self._settings()
        owner = _owner(claims, _OWN_CLAIMS if is_own else settings.owner_claims)
        granted = claims.get("role" if is_own else settings.role_claim)
        # True is what a claim such as is_superuser holds.
        role = Role.ADMIN if granted is True or granted == Role.ADMIN.value else Role.USER
        expires_at_s = float(claims["exp"]) + _leeway_s(settings, is_own)
        caller = Caller(f"{owner}'s token", role, owner, token_id=_jti(claims) or _token_id(token))
        return Identity(caller, expires_at_s, _token_id(token))

    # Making

    def _sign(self, owner: str, role: Role, expires_s: float, token_type: str, more: dict[str, Any]) -> tuple[str, int]:
        now = int(self._now_s())
        expires_at = now + max(1, int(expires_s))
        claims = {"user_id": owner, "role": role.value, "token_type": token_type, "iat": now, "exp": expires_at}
        claims |= {"iss": "pombal", "jti": new_ulid()} | more
        token = jwt.encode(claims, self._keys.own_secret, "HS256", headers={"kid": _OWN_KID})
        return token, expires_at * 1000

    def _forget_expired(self) -> None:
        now = self._now_s()
        self._redeemed = {jti: until for jti, until in self._redeemed.items() if until > now}


def _leeway_s(settings: AuthSettings, is_own: bool) -> float:
    """How far the clocks may be apart; what was made by this one ends when it was said to."""
    return 0.0 if is_own else settings.leeway_s


def _owner(claims: dict[str, Any], names: tuple[str, ...] | list[str]) -> str:
    """The first of the claims that is there, as text: SimpleJWT has had numbers and strings."""
    value = next((claims[name] for name in names if claims.get(name) is not None), None)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _refused(f"the token names no owner: it needs one of the claims {', '.join(names)}")
    owner = str(value)
    if not 1 <= len(owner) <= OWNER_MAX_CHARACTERS or not owner.isprintable():
        raise _refused(f"the token's owner has 1 to {OWNER_MAX_CHARACTERS} printable characters")
    return owner


def _jti(claims: dict[str, Any]) -> str | None:
    """The token's own id, where it has one that can be written down."""
    jti = claims.get("jti")
    return jti if isinstance(jti, str) and 1 <= len(jti) <= JTI_MAX_CHARACTERS and jti.isprintable() else None


def _token_id(token: str) -> str:
    """Of what is signed, not of the signature: that can be spelled in several ways (base64's last bits)."""
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()[:24]


def _refused(reason: str) -> PombalError:
    return PombalError(Kind.UNAUTHORIZED, reason)
