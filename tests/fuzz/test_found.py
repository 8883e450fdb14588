"""What fuzzing found, kept: each of these was once answered with a fault of ours."""

from pathlib import Path

import pytest

from pombal.config.errors import ConfigError
from pombal.config.load import parse
from pombal.control.jsonrpc import BadRequest, parse_request
from pombal.model.errors import PombalError


def with_settings(settings: str) -> bytes:
    params = '{"name":"vendas","settings":' + settings + "}"
    return b'{"jsonrpc":"2.0","id":1,"method":"session.update","params":' + params.encode() + b"}"


# A value that the parser could still follow, and the mending of lone surrogates, with more frames a level, could not.
DEEP_SURROGATES = (
    with_settings("[" * 500 + '"\\ud83d"' + "]" * 500),
    with_settings('{"\\ud83d":' * 500 + "1" + "}" * 500),
)


@pytest.mark.parametrize("line", DEEP_SURROGATES, ids=range(len(DEEP_SURROGATES)))
def test_deep_surrogates(line: bytes) -> None:
    with pytest.raises((BadRequest, PombalError), match="nested too deeply"):
        parse_request(line).resolve()


# Characters in keys and values that end a line for some, or are commands for a terminal.
STEERING = ('[outbox]\n"win\u2028dow" = 1', '[log]\nlevel = "\x9b2J\u0085\u202einfo"', '["\x85"]\nx = 1')


@pytest.mark.parametrize("text", STEERING, ids=range(len(STEERING)))
def test_complaints_about_the_configuration_are_lines_of_plain_text(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, Path("config.toml"))
    (line,) = str(refused.value).splitlines()
    assert line.isprintable()
