"""What is kept no longer, as changes: slices of at most ``limit`` rows, so that none holds up a commit."""

from pombal.model.changes import Change
from pombal.model.frozen import frozen


@frozen(kw_only=True)
class PruneEvents(Change):
    """→ int. Events older than before_ms leave the log."""

    before_ms: int
    limit: int


@frozen(kw_only=True)
class PruneAudit(Change):
    """→ int. Rows of the audit log from before before_ms go."""

    before_ms: int
    limit: int


@frozen(kw_only=True)
class ClearCodes(Change):
    """→ int. QR and pairing codes that have expired are emptied in the log."""


@frozen(kw_only=True)
class PruneRollups(Change):
    """→ int. Latency rollups by minute go once they are old: those by hour and by day have said the same all along.

    Of these sessions (0: of all together), and of their owners.
    """

    session_keys: tuple[int, ...]
    before_ms: int


@frozen(kw_only=True)
class PruneMessages(Change):
    """→ RemovedMessages. Messages from before before_ms go, of all sessions; what is still queued stays."""

    before_ms: int
    limit: int


@frozen(kw_only=True)
class PurgeMessages(Change):
    """→ RemovedMessages, of one session."""

    session_key: int
    limit: int


@frozen()
class RemovedMessages:
    """How many messages were removed, at most the limit that was given; media: the files they spoke of, by sha256."""

    count: int
    media: tuple[str, ...]


@frozen(kw_only=True)
class ForgetMedia(Change):
    """→ list[str], those of the files that leave the media store: whose messages are all from before said_before_ms.

    Without said_before_ms: those that no message speaks of. One that was put there at put_before_ms or later stays in
    any case, since whoever put it there may be about to send it.
    """

    sha256s: tuple[str, ...]
    put_before_ms: int
    said_before_ms: int | None = None
