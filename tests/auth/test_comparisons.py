"""Secrets are compared in a time that says nothing of them: by hmac.compare_digest, here or in PyJWT."""

import ast
import hmac
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

PACKAGE = Path(__file__).parents[2] / "daemon" / "pombal"
TELLING = {"token", "secret", "password", "signature", "mac", "bearer", "authorization", "credential", "csrf"}
# Where presented secrets meet ours. A new place is to be added here, so that somebody has looked at it.
COMPARED_SAFELY = {"dashboard/guard.py", "gateway/server.py"}
# The type that a token says it has; the level of access that a method asks for.
PUBLIC = {"token_type", "SECRET"}


def comparisons(path: Path) -> Iterator[tuple[int, str]]:
    """(line, name) of each comparison whose one side is called like a secret, the other no constant."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn):
            continue
        # What something is looked for in may be called after it; it is not what is compared.
        sides = [node.left] if isinstance(node.ops[0], ast.In | ast.NotIn) else [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) for side in sides):
            continue
        for name in (_name(side) for side in sides):
            if name not in PUBLIC and not TELLING.isdisjoint(name.lower().strip("_").split("_")):
                yield node.lineno, name


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return _name(node.func)
    return node.id if isinstance(node, ast.Name) else ""


def test_no_secret_is_compared_letter_by_letter() -> None:
    found = [f"{path}:{line}: {name}" for path in sorted(PACKAGE.rglob("*.py")) for line, name in comparisons(path)]
    assert found == []


def test_where_secrets_are_compared_is_known() -> None:
    using = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if "compare_digest(" in path.read_text()}
    assert using == COMPARED_SAFELY


def test_the_library_for_tokens_does_so_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr(hmac, "compare_digest", compare)
    key = "k" * 32
    token = jwt.encode({"sub": "ana"}, key, "HS256")
    jwt.decode(token, key, ["HS256"])
    assert len(compared) == 1
