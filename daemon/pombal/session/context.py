"""What every session actor works with: the recorder, the links, the clock, the settings that hold now."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

import trio

from pombal.actors.policy import RestartPolicy
from pombal.config.reload import LiveSettings
from pombal.config.settings import Settings
from pombal.link.base import OpenLink
from pombal.model.clock import Clock
from pombal.model.session import LinkKind
from pombal.recorder.recorder import Recorder
from pombal.store.reader import Reader


@dataclass(frozen=True, slots=True)
class SessionContext:
    """Shared by all actors; built once, by the composition root.

    ``starts`` bounds how many sessions connect at once. ``forget`` removes what a link keeps for a deleted session,
    ``forget_media`` those of the files of removed messages that no other message speaks of.
    """

    recorder: Recorder
    reader: Reader
    links: Mapping[LinkKind, OpenLink]
    forget: Mapping[LinkKind, Callable[[str], None]]
    forget_media: Callable[[Collection[str]], Awaitable[None]]
    clock: Clock
    live: LiveSettings
    starts: trio.Semaphore
    draining: trio.Event

    @property
    def settings(self) -> Settings:
        return self.live.current

    def restart_policy(self) -> RestartPolicy:
        sessions = self.settings.sessions
        return RestartPolicy(
            sessions.restart_intensity,
            sessions.restart_period_s,
            sessions.restart_backoff_min_s,
            sessions.restart_backoff_max_s,
        )
