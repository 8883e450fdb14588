"""The process ``pombal gateway web``: from its start to its end, which comes with SIGTERM or with its daemon's.

WhatsApp's client is a Go runtime inside of this process. It prints to descriptor 1, so that is pointed at standard
error before it is loaded; and it cannot be unloaded, so the process ends by ``os._exit`` once what counts is on disk.
"""

import os
import signal
import threading

import structlog
import trio

from pombal.config.settings import LogSettings
from pombal.gateway import listening
from pombal.gateway.client import ClientFactory
from pombal.gateway.options import Options
from pombal.gateway.server import Server
from pombal.ops.logging import configure_logging

log = structlog.get_logger()

OK, LOST, UNUSABLE = 0, 1, 2
FAREWELL_S = 0.2
INSTALL = "pip install 'pombal[web]'"


class Missing(Exception):
    """WhatsApp's client cannot be loaded; the text says what to install."""


def run(options: Options, log_settings: LogSettings) -> int:
    """Serve until the end; the process's exit status. Raises Missing and Unusable before it has begun.

    Does not return where the client was loaded: Go's threads do not end by themselves.
    """
    listening.check(options.listen)
    token = listening.token_of(options.listen)
    os.umask(0o077)  # keys and spools are for this user alone, where no daemon has seen to it as well
    os.dup2(2, 1)
    os.environ["NEONIZE_BOT_TAG"] = "off"  # else every text is marked as a bot's
    factory = load()
    configure_logging(log_settings)
    status = trio.run(_main, factory, options, token)
    os._exit(status)


def load() -> ClientFactory:
    """WhatsApp's client. Raises Missing."""
    try:
        from pombal.gateway.neonize_client import NeonizeFactory
    except ImportError as error:
        if "magic" in str(error):
            raise Missing("WhatsApp's client needs libmagic: apt install libmagic1") from error
        raise Missing(f"WhatsApp's client is not installed: {INSTALL}  ({error})") from error
    except (OSError, RuntimeError) as error:
        raise Missing(f"WhatsApp's client cannot be loaded ({error}); install it anew: {INSTALL}") from error
    return NeonizeFactory()


async def _main(factory: ClientFactory, options: Options, token: str | None) -> int:
    options.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    server, doors = Server(factory, options, token), await listening.listeners(options.listen)
    async with trio.open_nursery() as nursery:
        stopping = trio.Event()
        await nursery.start(_signals, stopping, options.life_line)
        await nursery.start(server.serve, doors)
        if options.life_line:
            nursery.start_soon(_life_line, stopping)
        log.info("gateway ready", deduplicates=factory.fixes_ids)
        await stopping.wait()
        _leave_anyway(options.stop_timeout_s)
        server.stop()
        await trio.sleep(FAREWELL_S)
        nursery.cancel_scope.cancel()
    log.info("gateway stopped")
    return OK


async def _signals(
    stopping: trio.Event, has_life_line: bool, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Ctrl-C in a terminal reaches daemon and gateway alike; the daemon decides when its gateways go."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            if number == signal.SIGTERM or not has_life_line:
                log.info("stopping", signal=signal.Signals(number).name)
                stopping.set()


async def _life_line(stopping: trio.Event) -> None:
    """The standard input ends when the daemon does, however it does."""
    await trio.to_thread.run_sync(_until_end_of_input, abandon_on_cancel=True)
    log.info("stopping, the daemon is gone")
    stopping.set()


def _until_end_of_input() -> None:
    try:
        while os.read(0, 4096):
            pass
    except OSError as error:
        log.warning("the life line cannot be read", reason=str(error))


def _leave_anyway(seconds: float) -> None:
    """A client that hangs in C holds up neither the daemon nor its own successor."""

    def leave() -> None:
        log.error("clients did not stop in time, leaving them")
        os._exit(LOST)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
