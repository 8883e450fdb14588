"""Stanzas: what they hold, and how they look in a trace."""

from typing import Any

from pyaileys.wabinary import BinaryNode as Node

SERVER = "@s.whatsapp.net"  # without a user; the bare name would be a word, not a JID

__all__ = ["SERVER", "Node", "child", "children", "content", "node", "number", "show", "stream_error"]


def node(tag: str, attrs: dict[str, Any] | None = None, inner: list[Node] | bytes | str | None = None) -> Node:
    """A stanza; attributes that are None are left out, numbers become text."""
    return Node(tag, {key: str(value) for key, value in (attrs or {}).items() if value is not None}, inner)


def stream_error(code: int | None, inner: Node | None = None) -> Node:
    return node("stream:error", {"code": code}, [inner] if inner else None)


def children(parent: Node, tag: str | None = None) -> list[Node]:
    inner = parent.content if isinstance(parent.content, list) else []
    return [each for each in inner if tag in (None, each.tag)]


def child(parent: Node, tag: str) -> Node | None:
    return next(iter(children(parent, tag)), None)


def content(parent: Node | None) -> bytes:
    """The bytes of a leaf; the codec makes text of some."""
    inner = parent.content if parent else None
    return inner.encode() if isinstance(inner, str) else bytes(inner) if isinstance(inner, bytes | bytearray) else b""


def number(parent: Node | None) -> int:
    return int.from_bytes(content(parent), "big")


def show(stanza: Node, depth: int = 0) -> str:
    attrs = "".join(f" {key}={value}" for key, value in stanza.attrs.items())
    if isinstance(stanza.content, list):
        inner = "".join("\n" + show(each, depth + 1) for each in stanza.content)
    else:
        inner = f" ({len(content(stanza))} bytes)" if stanza.content else ""
    return f"{'  ' * depth}<{stanza.tag}{attrs}>{inner}"
