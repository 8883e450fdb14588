"""`pombal config`: is the file right, and what holds once it is read."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from pombal.cli.failures import CommandFailed, ExitCode
from pombal.cli.options import Json
from pombal.cli.output import print_json, show
from pombal.config.errors import StartRefused
from pombal.config.load import Loaded, load_config
from pombal.config.paths import Paths, check_socket_path, resolve_paths
from pombal.config.settings import Section

app = typer.Typer(help="The configuration file.", no_args_is_help=True)

File = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE", help="Else $POMBAL_CONFIG, ./config.toml, /etc/pombal/config.toml.", show_default=False
    ),
]


@app.command()
def check(file: File = None) -> None:
    """Say every problem of the configuration file.

    Exit code 2 where there is one.
    """
    loaded, _ = _read(file)
    show(f"{loaded.path}: no problems" if loaded.path else "no configuration file: the built-in defaults hold")


@app.command("show")
def show_(file: File = None, as_json: Json = False) -> None:
    """Show the settings that hold, and the paths that follow from them.

    What differs from the built-in default says so.
    """
    loaded, paths = _read(file)
    if as_json:
        print_json(_as_object(loaded, paths))
    else:
        show("\n".join(_as_toml(loaded, paths)))


def _read(file: str | None) -> tuple[Loaded, Paths]:
    """Raises ConfigError, or CommandFailed (wrong configuration) for paths that cannot be used."""
    loaded = load_config(file, os.environ)
    try:
        paths = resolve_paths(loaded.settings.daemon, os.environ)
        check_socket_path(paths.socket)
    except StartRefused as error:
        raise CommandFailed(str(error), ExitCode.USAGE) from None
    return loaded, paths


def _as_object(loaded: Loaded, paths: Paths) -> dict[str, Any]:
    given = [f"{name}.{key}" for name, section in _sections(loaded) for key in sorted(section.model_fields_set)]
    by_file = [key for key in given if key not in loaded.from_credentials]
    return {
        "file": None if loaded.path is None else str(loaded.path),
        "settings": loaded.settings.model_dump(mode="json"),
        "set_by_file": by_file,
        "paths": {name: str(path) for name, path in _places(paths).items()},
    }


def _as_toml(loaded: Loaded, paths: Paths) -> Iterator[str]:
    """Lines that can be a configuration file themselves: TOML has no null, so what is unset is a comment."""
    defaults = type(loaded.settings)().model_dump(mode="json")
    yield f"# {loaded.path or 'no configuration file: the built-in defaults'}"
    for name, section in _sections(loaded):
        yield ""
        yield f"[{name}]"
        for key, value in section.model_dump(mode="json").items():
            yield _line(key, value, defaults[name][key])
    yield ""
    for what, path in _places(paths).items():
        yield f"# {what}: {path}"


def _line(key: str, value: Any, default: Any) -> str:
    if value is None:
        return f"# {key} is not set"
    remark = "" if value == default else f"  # default: {'not set' if default is None else _toml_value(default)}"
    return f"{key} = {_toml_value(value)}{remark}"


def _toml_value(value: Any) -> str:
    """Numbers, booleans and basic strings are written in TOML as in JSON; a delay is an inline table."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml_value(part)}" for key, part in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _sections(loaded: Loaded) -> Iterator[tuple[str, Section]]:
    for name in type(loaded.settings).model_fields:
        yield name, getattr(loaded.settings, name)


def _places(paths: Paths) -> dict[str, Path]:
    return {
        "state_dir": paths.state,
        "runtime_dir": paths.runtime,
        "database": paths.database,
        "control_socket": paths.socket,
    }
