"""Styles, scripts and the icon: read once, named by their contents, so that browsers keep them for ever."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    content_type: str


@dataclass(slots=True)
class Assets:
    """``version``: of all of them together; it is part of their addresses, so modules that import each other agree."""

    by_name: dict[str, Asset] = field(default_factory=dict)
    version: str = ""

    def url(self, name: str) -> str:
        """Where a file is found. Raises KeyError for one that is not there: a template is wrong then."""
        self.by_name[name]
        return f"/static/{self.version}/{name}"


def load_assets() -> Assets:
    found = dict(_walk(files("pombal.dashboard") / "static", ""))
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + b"\0" + found[name].content)
    return Assets(found, digest.hexdigest()[:12])


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif (content_type := _TYPES.get(entry.name.rpartition(".")[2])) is not None:
            yield f"{prefix}{entry.name}", Asset(entry.read_bytes(), content_type)
