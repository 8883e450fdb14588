"""Every command that a page shows exists, with the options that it is given."""

from pathlib import Path
from typing import Any

import pytest
import typer.main

from pombal.cli.main import app
from tests.docs.pages import PAGES, ROOT, name_of, pombal_commands

ROOT_COMMAND = typer.main.get_command(app)


def unknown_in(words: list[str]) -> str | None:
    """The first word of a call that the command line would not know; None where it is a call that can be made."""
    command: Any = ROOT_COMMAND
    for word in words:
        if word.startswith("--"):
            known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
            if word.partition("=")[0] not in known | {"--help"}:
                return word
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return word
            command = command.commands[word]
    return None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    wrong = {" ".join(words): unknown for words in pombal_commands(page) if (unknown := unknown_in(words)) is not None}
    assert wrong == {}


def test_calls_are_found_and_mistakes_in_them() -> None:
    assert ["serve", "--demo"] in list(pombal_commands(ROOT / "README.md"))
    assert unknown_in(["session", "qr", "loja", "--invert"]) is None
    assert unknown_in(["session", "scan", "loja"]) == "scan"
    assert unknown_in(["send", "loja", "5511999999999", "Oi", "--until", "read"]) == "--until"
