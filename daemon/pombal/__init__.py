"""Pombal: a WhatsApp gateway daemon on trio."""

from importlib.metadata import version

__version__ = version("pombal")
