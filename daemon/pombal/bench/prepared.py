"""State directories as a daemon finds them at its start."""

from pathlib import Path

from pombal.config.settings import Settings
from pombal.model.changes import CreateSession, SetSessionState
from pombal.model.clock import system_clock
from pombal.model.ids import new_ulid
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionState
from pombal.store.connection import open_writer
from pombal.store.writer import Writer

_BATCH = 500


def session_name(number: int) -> str:
    return f"s{number:05d}"


def prepare_sessions(state: Path, sessions: int) -> None:
    """A database with that many active sessions on the simulator, each paired in an earlier life."""
    settings = Settings()
    state.mkdir(mode=0o700, exist_ok=True)
    writer = Writer(open_writer(state / "pombal.db", settings.recorder, settings.store), system_clock, 5000)
    for first in range(0, sessions, _BATCH):
        at = system_clock()
        created = writer.commit(
            [
                CreateSession(
                    at=at, id=new_ulid(), name=session_name(number), owner="bench", link=LinkKind.SIMULATOR,
                    is_active=True,
                )
                for number in range(first, min(first + _BATCH, sessions))
            ]
        ).answers  # fmt: skip
        paired = [SessionState(identity=f"55119{row.key:08d}") for row in created]
        writer.commit(
            [
                SetSessionState(at=at, session_key=row.key, state=state, fields={})
                for row, state in zip(created, paired, strict=True)
            ]
        )
    writer.close()
