"""A session's own settings on WhatsApp Web, and what of them its gateway is told."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from pydantic import ValidationError

from pombal.config.settings import WebSessionSettings, WebSettings
from pombal.model.errors import Kind, PombalError, invalid

NO_GATEWAY = (
    "there is no gateway for WhatsApp Web: install the one that comes with Pombal (pip install 'pombal[web]'), or set "
    "[web] gateway_command or gateway_url"
)


def validate_settings(settings: Mapping[str, Any]) -> WebSessionSettings:
    """Raises PombalError (invalid) with the key and the reason; a proxy's password is not repeated."""
    try:
        return WebSessionSettings.model_validate(dict(settings))
    except ValidationError as error:
        raise _refusal(error) from None


def check_session_settings(settings: Mapping[str, Any], web: WebSettings) -> None:
    """For session.create and update. Raises PombalError: invalid, unsupported where no gateway could serve it."""
    own = validate_settings(settings)
    if own.gateway_url is None and web.gateway_url is None and not web.gateway_command and not has_own_gateway():
        raise PombalError(Kind.UNSUPPORTED, NO_GATEWAY)


def has_own_gateway() -> bool:
    """Whether what `pombal gateway web` needs is installed; looked up, not imported."""
    return find_spec("neonize") is not None


def told_settings(own: Mapping[str, Any], web: WebSettings) -> dict[str, Any]:
    """The settings in hello: the session's own, over the daemon's. What concerns the daemon alone is left out."""
    session = validate_settings(own)
    told: dict[str, Any] = {"login_timeout_s": web.login_timeout_s, "qr_rounds": web.qr_rounds}
    if (proxy := session.proxy or web.proxy) is not None:
        told["proxy"] = proxy
    return told


def _refusal(error: ValidationError) -> PombalError:
    first = error.errors(include_url=False, include_input=False)[0]
    key = str(first["loc"][0])[:80]
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(WebSessionSettings.model_fields))
        return invalid(f"settings.{key}: unknown to the link web; it knows {known}", key=key)
    why = first["ctx"]["error"] if first["type"] == "value_error" else first["msg"]
    return invalid(f"settings.{key}: {why}", key=key)
