"""How long a link has been silent, on a clock that no step of the wall clock moves."""

from pombal.model.clock import Stamp


class Silence:
    """Frames are stamped by the wall clock, but looked at by the monotonic one: a step of the host's clock must
    neither end a silence nor hide one for an hour. Pure: the caller brings the time.
    """

    __slots__ = ("_frame_at_ms", "_heard_mono_ms", "_look_at_mono_ms")

    def __init__(self, now: Stamp) -> None:
        self._frame_at_ms: int | None = None
        self._heard_mono_ms = now.mono_ms
        self._look_at_mono_ms = now.mono_ms

    def broken(self, now: Stamp) -> None:
        """An answer came, which need not show in the time of the last frame."""
        self._heard_mono_ms = now.mono_ms

    def is_due(self, now: Stamp) -> bool:
        """Whether it is worth a look: not before the silence, as it was last seen, would be too long."""
        return now.mono_ms >= self._look_at_mono_ms

    def is_too_long(self, now: Stamp, frame_at_ms: int | None, quiet_ms: float) -> bool:
        """frame_at_ms: when the link says that the last frame came (epoch ms)."""
        if frame_at_ms is not None and frame_at_ms != self._frame_at_ms:
            self._frame_at_ms = frame_at_ms
            # It came since the last look, whatever the wall clock says.
            age_ms = min(max(0, now.wall_ms - frame_at_ms), now.mono_ms - self._heard_mono_ms)
            self._heard_mono_ms = now.mono_ms - age_ms
        left_ms = self._heard_mono_ms + quiet_ms - now.mono_ms
        self._look_at_mono_ms = now.mono_ms + max(0, int(left_ms))
        return left_ms < 0
