"""docs/cli.md names every command with an example, every option of it, and every exit code; and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from pombal.cli.failures import ExitCode
from pombal.cli.main import app

TEXT = (Path(__file__).parents[2] / "docs/cli.md").read_text()
PARTS = re.split(r"^### `(pombal [a-z -]+)`$", TEXT, flags=re.MULTILINE)
SECTIONS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))
SHARED = {"--socket", "--json", "--help"}  # told once, for all commands


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    for word, part in getattr(command, "commands", {}).items():
        yield from commands(part, f"{name} {word}")
    if not hasattr(command, "commands"):
        yield name, command


COMMANDS = dict(commands(typer.main.get_command(app), "pombal"))


def test_every_command_has_a_section_and_no_other_is_told_of() -> None:
    assert sorted(SECTIONS) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_has_an_example(name: str) -> None:
    assert re.search(rf"^\$ (.* \| )?{name}\b", SECTIONS[name], flags=re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_is_told_of(name: str) -> None:
    options = {option for param in COMMANDS[name].params for option in (*param.opts, *param.secondary_opts)}
    long = {option for option in options if option.startswith("--")} - SHARED
    assert {option for option in long if not re.search(rf"{option}\b", SECTIONS[name])} == set()


def test_options_of_all_commands_are_told_of() -> None:
    intro = TEXT.partition("## The daemon")[0]
    for option in (*SHARED, "--version", "--install-completion", "--show-completion", "--limit", "--all"):
        assert option in intro


def test_every_command_that_asks_the_daemon_takes_socket_and_json() -> None:
    for name, command in COMMANDS.items():
        options = {option for param in command.params for option in param.opts}
        if name.split()[1] not in ("serve", "config", "db", "gateway", "bench"):
            assert {"--socket", "--json"} <= options, name


def test_exit_codes() -> None:
    told = re.findall(r"^\| (\d+) \| ", TEXT, flags=re.MULTILINE)
    assert [int(code) for code in told] == [0, *ExitCode]
