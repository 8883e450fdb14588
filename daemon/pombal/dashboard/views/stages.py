"""Where a message's time went: one bar of stages, the same on every page that shows one."""

from dataclasses import dataclass

from pombal.model.message import Direction, Message, Stages

STAGES = ("queue", "link", "delivery", "record")
WIDTH = 1000  # of the bar, in its own units


@dataclass(frozen=True, slots=True)
class Part:
    """One stage; ``x`` and ``width`` place it in a bar of WIDTH. ``is_guilty``: most of a late message's time."""

    stage: str
    took_ms: int
    share: float
    x: float
    width: float
    is_guilty: bool


def parts_of(stages: Stages, *, is_late: bool = False) -> list[Part]:
    """The stages that are known, in order. The time people take to read is none of them."""
    known = [(stage, max(0, took)) for stage in STAGES if (took := stages.get(f"{stage}_ms")) is not None]
    total = sum(took for _, took in known)
    longest = max((took for _, took in known), default=0)
    parts: list[Part] = []
    x = 0.0
    for stage, took in known:
        share = took / total if total else 1 / len(known)
        guilty = is_late and took == longest and not any(part.is_guilty for part in parts)
        parts.append(Part(stage, took, share, round(x, 2), round(share * WIDTH, 2), guilty))
        x += share * WIDTH
    return parts


def bar_of(message: Message) -> list[Part]:
    return parts_of(message.stages, is_late=message.is_latency_acceptable is False)


def guilty_stage(message: Message) -> str | None:
    """The stage that took most of a message's time; None where its stages are not known."""
    parts = parts_of(message.stages, is_late=True)
    return next((part.stage for part in parts if part.is_guilty), None)


def stage_key(stage: str, direction: Direction) -> str:
    """Inbound, `link` is the way from WhatsApp to us; outbound, from us to WhatsApp: other words."""
    return f"stage.{stage}_in" if direction == Direction.INBOUND and stage == "link" else f"stage.{stage}"
