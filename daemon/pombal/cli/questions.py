"""Asking before something is lost."""

import sys

import typer

from pombal.cli.failures import CommandFailed


def confirm(question: str, *, unasked: str) -> None:
    """Go on only after a yes. Raises CommandFailed: with ``unasked`` where there is no terminal to ask on."""
    if not sys.stdin.isatty():
        raise CommandFailed(unasked)
    if not typer.confirm(question, err=True):
        raise CommandFailed("nothing was done")
