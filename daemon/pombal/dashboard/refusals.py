"""What a refusal says in a page: what went wrong and what to do about it, in the language of whoever looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pombal.dashboard.words import Words
from pombal.model.errors import Kind, PombalError


@dataclass(frozen=True, slots=True)
class Refusal:
    """``detail``: the daemon's own words, which are English everywhere; None where ``text`` says as much."""

    kind: Kind
    title: str
    text: str
    detail: str | None


@contextmanager
def about(field: str) -> Iterator[None]:
    """Whatever is refused inside is about this field of the form."""
    try:
        yield
    except PombalError as error:
        error.data.setdefault("errors", [{"field": field, "reason": error.message}])
        raise


def explain(words: Words, error: PombalError, method: str | None = None) -> Refusal:
    """method: the one of the catalog that refused; None where the dashboard itself did.

    The most particular words there are: of the fields that are wrong, of the session's state, of what was tried, else
    of the kind alone.
    """
    title = words(f"error.{error.kind}")
    particular = _of_fields(words, error) or _of_state(words, error) or _of_method(words, error, method)
    if particular is not None:
        return Refusal(error.kind, title, particular, None)
    return Refusal(error.kind, title, words(f"error_text.{error.kind}"), error.message)


def _of_fields(words: Words, error: PombalError) -> str | None:
    fields = [entry["field"].partition(".")[0] for entry in error.data.get("errors") or ()]
    keys = [f"wrong.{field}" for field in dict.fromkeys(fields)]
    return " ".join(map(words, keys)) if keys and all(map(words.has, keys)) else None


def _of_state(words: Words, error: PombalError) -> str | None:
    """A session that cannot do it now: why, and what mends it."""
    if error.kind != Kind.NOT_READY or "status" not in error.data:
        return None
    reason = error.data.get("status_reason")
    return words(f"advice.{reason}") if reason else words("advice.qrcode")


def _of_method(words: Words, error: PombalError, method: str | None) -> str | None:
    """Of the method, else of what it is about: `refused.session_start_not_found`, `refused.session_not_found`."""
    about_what, _, does = (method or "").partition(".")
    keys = (f"refused.{about_what}_{does}_{error.kind}", f"refused.{about_what}_{error.kind}")
    return next((words(key) for key in keys if words.has(key)), None)
