"""Why a daemon does not start: what is wrong with its configuration, or with the place it was told to run in."""

from collections.abc import Sequence
from pathlib import Path


class StartRefused(Exception):
    """The daemon cannot run here; the text says why and what to do. The process ends with exit code 1."""


class ConfigError(Exception):
    """The configuration file is wrong; ``problems`` holds one line for each fault. Exit code 2."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{path}: {problem}" for problem in self.problems))
