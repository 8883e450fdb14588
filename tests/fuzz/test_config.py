"""The configuration file of the docs, with every key in it, spoilt: it is read or refused with reasons, always."""

import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pombal.config.errors import ConfigError
from pombal.config.load import MAX_BYTES, load
from pombal.config.settings import Settings
from tests.fuzz.mutate import BAD_BYTES, HOSTILE, NO_JSON

FILES = int(os.environ.get("POMBAL_FUZZ_FRAMES", "20000")) // 40
SEED = int(os.environ.get("POMBAL_FUZZ_SEED", "1"))
WHOLE = (Path(__file__).parents[2] / "config.toml").read_text().splitlines()
# Comments that show examples of keys without a default. Not all of these may be set at once.
EXAMPLE = re.compile(r"#[a-z_]+ = ")
LINES = [line for line in WHOLE if line and (not line.startswith("#") or EXAMPLE.match(line))]
TOML = (
    "nan", "-inf", "1979-05-27T07:32:00Z", "1979-05-27", "07:32:00", "0xff", "0o7", "1_000", "'x'", '"""x"""',
    "[1, [2]]", "{ median = 5, p99 = 1 }", "{ median = 1, p99 = 5 }", "{ a.b = 1 }", "9" * 400, "-1", "1e400",
    '"\\uD800"', '"\\u0000"', "[" * 3_000 + "]" * 3_000, '["/bin/true"]', '"http://a:b@c:1"', '"é"',
)  # fmt: skip


def spoilt(rng: random.Random) -> bytes:
    lines = [line.removeprefix("#") if rng.random() < 0.02 else line for line in LINES]
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        at = rng.randrange(len(lines))
        key, equals, _ = lines[at].partition("=")
        match rng.randrange(7):
            case 0 | 1 | 2 if equals:
                lines[at] = f"{key}= {rng.choice((*HOSTILE, *NO_JSON, *TOML))}"
            case 3:
                lines.insert(rng.randrange(len(lines)), lines[at])
            case 4:
                lines[at] = rng.choice(
                    (lines[at].upper(), f"[{lines[at]}]", f"x.{lines[at]}", lines[at][::-1], "[]", "=1")
                )
            case 5:
                del lines[at]
            case _:
                lines[at] += rng.choice((" # é", ' "', "\\", ",", " = 1", "x" * 5_000))
    data = ("\r\n" if rng.random() < 0.1 else "\n").join(lines).encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        at = rng.randrange(len(data))
        data = data[:at] + rng.choice(BAD_BYTES) + data[at + rng.choice((0, 1, 50)) :]
    return data * (MAX_BYTES // len(data) + 1) if rng.random() < 0.005 else data


def files() -> Iterator[bytes]:
    rng = random.Random(SEED)
    for _ in range(FILES):
        yield spoilt(rng)


def test_any_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    outcomes: Counter[str] = Counter()
    for data in files():
        path.write_bytes(data)
        try:
            assert isinstance(load(path), Settings)
            outcomes["read"] += 1
        except ConfigError as error:
            said = str(error).splitlines()
            outcomes["refused"] += 1
            outcomes["unclear"] += not said or any(len(line) > 1000 or not line.isprintable() for line in said)
    assert outcomes["unclear"] == 0
    assert min(outcomes["read"], outcomes["refused"]) > FILES / 20, outcomes
