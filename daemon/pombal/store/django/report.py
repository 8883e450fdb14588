"""What an import did, refused and changed; bounded, whatever the dump holds."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pombal.model.changes import Imported

FIRST_ROWS = 5  # of each reason
MAX_REASONS = 100
_FURTHER = "further reasons"

OnRefused = Callable[[dict[str, Any]], None]
"""Hears each refused row: {line, model, pk, reason, detail}."""


@dataclass(slots=True)
class Refusal:
    """Rows refused for one reason: how many, and the first of them."""

    rows: int = 0
    first: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class ImportReport:
    on_refused: OnRefused
    sessions: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)
    ignored_models: Counter[str] = field(default_factory=Counter)
    ignored_fields: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        return sum(refusal.rows for refusal in self.refusals.values())

    def refuse(self, line: int, model: str, pk: Any, reason: str, detail: str = "") -> None:
        key = None if pk is None else str(pk)[:128]
        refusal = self.refusals.setdefault(bounded(self.refusals, reason), Refusal())
        refusal.rows += 1
        if len(refusal.first) < FIRST_ROWS:
            refusal.first.append({"line": line, "model": model, "pk": key})
        self.on_refused({"line": line, "model": model, "pk": key, "reason": reason, "detail": detail or None})

    def remark(self, text: str) -> None:
        self.remarks[bounded(self.remarks, text)] += 1

    def ignore(self, counter: Counter[str], name: str) -> None:
        counter[bounded(counter, name[:128])] += 1

    def object(self) -> dict[str, Any]:
        outcomes = (Imported.ADDED, Imported.MOVED_ON, Imported.KNOWN)
        return {
            "sessions": {str(outcome): self.sessions[outcome] for outcome in outcomes if outcome != Imported.MOVED_ON},
            "messages": {str(outcome): self.messages[outcome] for outcome in outcomes},
            "refused": self.refused,
            "reasons": [
                {"reason": reason, "rows": refusal.rows, "first": refusal.first}
                for reason, refusal in sorted(self.refusals.items(), key=lambda item: -item[1].rows)
            ],
            "remarks": dict(self.remarks.most_common()),
            "ignored_models": dict(self.ignored_models.most_common()),
            "ignored_fields": dict(self.ignored_fields.most_common()),
        }


def bounded(kept: dict[str, Any], name: str) -> str:
    """The name to count under: its own while there is room for it."""
    return name if name in kept or len(kept) < MAX_REASONS else _FURTHER
