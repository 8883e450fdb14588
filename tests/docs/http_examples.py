"""The examples of docs/http-api.md as three programs, one a language, which stop after each block."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.docs.pages import ROOT

PAGE = ROOT / "docs/http-api.md"
ADDRESS = "http://127.0.0.1:8001"
_BLOCK = re.compile(
    r"^#{2,3} (?P<heading>[^\n]+)$|^```(?P<language>\w+)\n(?P<text>.*?)^```$|^<!-- (?P<note>[^\n]+) -->$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Block:
    """An example, the heading it stands under, and what is said of its outcome: a note, a JSON object."""

    number: int
    heading: str
    language: str
    text: str
    note: str = ""
    answer: str = ""


def blocks() -> list[Block]:
    """In the page's order. A note or a JSON object belongs to the block before it."""
    found: list[Block] = []
    heading = ""
    for match in _BLOCK.finditer(PAGE.read_text()):
        if match["heading"]:
            heading = match["heading"]
        elif match["note"]:
            found[-1].note = match["note"]
        elif match["language"] == "json":
            found[-1].answer = match["text"]
        else:
            found.append(Block(len(found), heading, match["language"], match["text"]))
    return found


def program(language: str, examples: list[Block], url: str, token: str) -> str:
    """All examples behind each other; behind each one the program says so and waits for a line of its input."""
    parts = [_BEFORE[language].replace("{token}", json.dumps(token))]
    for block in examples:
        parts += [block.text.replace(ADDRESS, url), _PAUSE[language].format(number=block.number)]
    return "\n".join(parts)


# A refusal fails the program, in each language: curl by this function, the others by what they raise. `-o /dev/null` is
# the one example that shows statuses instead.
_BEFORE = {
    "sh": """set -eu
curl() {
    case " $* " in
        *no-such-session*|*' -sN '*|*'http_code'*) command curl -S "$@" ;;
        *) command curl -S --fail-with-body "$@" && echo ;;
    esac
}
""",
    "python": "",
    "javascript": "const token = {token}",
}
_PAUSE = {
    "sh": "echo '@@ {number}'; read -r _",
    "python": "print('@@ {number}', flush=True); input()",
    "javascript": "await pause('@@ {number}')",
}


def breaches(shown: Any, real: Any, path: str = "answer") -> Iterator[str]:
    """Where an answer is not as the page shows it: a key that is missing, another type. "…" stands for anything."""
    if isinstance(shown, dict):
        if not isinstance(real, dict):
            yield f"{path} is {type(real).__name__}, shown as an object"
            return
        for name in shown.keys() - {"…"}:
            if name not in real:
                yield f"{path}.{name} is not there"
            else:
                yield from breaches(shown[name], real[name], f"{path}.{name}")
        if "…" not in shown and (more := real.keys() - shown.keys()):
            yield f"{path} has {', '.join(sorted(more))} as well"
    elif isinstance(shown, list) and isinstance(real, list):
        for item in shown and real:
            yield from breaches(shown[0], item, f"{path}[]")
    elif real is not None and not isinstance(real, type(shown)) and not isinstance(shown, type(None)):
        yield f"{path} is {real!r}, shown as {shown!r}"
