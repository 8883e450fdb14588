"""Finding and reading the configuration file; every problem of the file is told at once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli
from pydantic import ValidationError

from pombal.config.credentials import with_credentials
from pombal.config.errors import ConfigError
from pombal.config.problems import problems_of
from pombal.config.secret_files import SecretExposed, check_secret
from pombal.config.settings import Settings
from pombal.config.urls import has_password

MAX_BYTES = 1_048_576  # a configuration longer than this is another file, given by mistake
PLACES = (Path("config.toml"), Path("/etc/pombal/config.toml"))


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is set, and the file that says so; path is None where the built-in defaults hold.

    from_credentials: the keys that systemd's credentials have filled.
    """

    settings: Settings
    path: Path | None
    from_credentials: frozenset[str] = frozenset()


def load_config(argument: str | None, environ: Mapping[str, str]) -> Loaded:
    """The settings of the file that find_config finds. Raises ConfigError."""
    return _loaded(find_config(argument, environ), environ)


def find_config(argument: str | None, environ: Mapping[str, str]) -> Path | None:
    """`--config`, else `$POMBAL_CONFIG`, else ./config.toml, else /etc/pombal/config.toml, else None.

    A file that somebody named is returned whether it exists or not, so that a slip of the pen is told and not passed
    over. So is one that is there and cannot be read.
    """
    named = argument if argument is not None else environ.get("POMBAL_CONFIG")
    if named:
        return Path(named)
    return next((place.absolute() for place in PLACES if _is_there(place)), None)


def load(path: Path) -> Settings:
    """Read and validate one file. Raises ConfigError, with every problem that was found."""
    return _loaded(path, {}).settings


def parse(text: str, path: Path) -> Settings:
    """Validate the text of a file; path is for the error only. Raises ConfigError."""
    return _validated(_toml(text, path), path)


def _loaded(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    given = {} if path is None else _toml(_read(path), path)
    data, from_credentials = with_credentials(given, environ)
    settings = _validated(data, path or Path("config.toml"))
    if path is not None and settings.web.proxy is not None and has_password(settings.web.proxy):
        _refuse_if_open(path)
    return Loaded(settings, path, from_credentials)


def _validated(data: dict[str, Any], path: Path) -> Settings:
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError(path, problems_of(error, data)) from None


def _refuse_if_open(path: Path) -> None:
    """A configuration is no secret, until a password stands in it."""
    try:
        check_secret(path)
    except SecretExposed as error:
        raise ConfigError(path, [f"web.proxy: has a password in it, but {error}"]) from None
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}"]) from None


def _is_there(place: Path) -> bool:
    try:
        os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}"]) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(path, [f"longer than {MAX_BYTES} bytes: is it a configuration file?"])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(path, [f"line {line}: not UTF-8 (byte 0x{raw[error.start]:02x}); save it as UTF-8"]) from None


def _toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError(path, [f"line {error.lineno}, column {error.colno}: {_lowered(error.msg)}"]) from None
    except (RecursionError, ValueError) as error:
        # Nesting and integers without end: tomli leaves these to Python, which knows no line for them.
        raise ConfigError(path, [f"not usable TOML: {error}"]) from None


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
