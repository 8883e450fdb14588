"""The pages of documentation: their texts, links, headings and the commands that they show."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "daemon/pombal"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """What GitHub lets one link to: headings in lower case, without punctuation, blanks as hyphens."""
    headings = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in _HEADING.findall(prose(page)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_spans(page: Path) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", prose(page)))


def shell_lines(page: Path) -> Iterator[str]:
    """Each line that somebody is to type: after `$ ` in a console, every line of a shell script."""
    for language, block in _FENCE.findall(page.read_text()):
        for line in block.splitlines():
            if language == "console":
                # Two terminals side by side make two commands.
                yield from (part.strip() for part in re.split(r"(?:^|\s{3,})\$ ", line)[1:])
            elif language == "sh":
                yield line


def pombal_commands(page: Path) -> Iterator[list[str]]:
    """The words behind each `pombal` on such a line, and in spans of code that begin with it."""
    spans = [span for span in code_spans(page) if span.startswith("pombal ") and "…" not in span]
    for line in [*shell_lines(page), *spans]:
        # Not `runuser -u pombal -- …`, where it is the user, nor `/opt/pombal` and what is linked to it.
        for called in re.findall(r"(?:(?<=bin/)|(?<![\w./-]))pombal (?!-- |/)(.+?)(?= && | \|| *$|\)|;|  #)", line):
            yield shlex.split(called.partition("$(")[0], comments=True)
