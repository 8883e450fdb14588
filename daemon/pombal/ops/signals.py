"""What signals mean: the first SIGTERM or SIGINT drains, the second cancels at once, SIGHUP reloads."""

import signal
from collections.abc import Callable

import structlog
import trio

from pombal.config.errors import ConfigError

log = structlog.get_logger()


async def handle_signals(
    *,
    drain: Callable[[], None],
    cancel: Callable[[], None],
    reload: Callable[[], None],
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Call back until cancelled; started once signals are caught. The callbacks must return at once.

    Needs the main thread, as Python delivers signals there.
    """
    asked_to_stop = False
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            name = signal.Signals(number).name
            if number == signal.SIGHUP:
                _reload(reload)
            elif asked_to_stop:
                log.warning("stopping at once", signal=name)
                cancel()
            else:
                asked_to_stop = True
                log.info("draining", signal=name)
                drain()


def _reload(reload: Callable[[], None]) -> None:
    try:
        reload()
    except ConfigError as error:
        log.error("reload refused, nothing changed", reason=str(error))  # noqa: TRY400  # the reason says it all
    except Exception:  # a reload that fails changes nothing; the daemon goes on
        log.exception("reload failed")
