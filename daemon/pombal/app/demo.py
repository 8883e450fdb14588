"""The demo: five simulated sessions that are scanned, talk and deliver, and a banner that says where everything is."""

from typing import TYPE_CHECKING

import trio
from rich.console import Console
from rich.panel import Panel

from pombal.config.settings import Settings
from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind, PombalError
from pombal.model.params import SendParams, SessionCreateParams, TokenCreateParams
from pombal.model.results import TokenCreated
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionStatus

if TYPE_CHECKING:
    from pombal.app.daemon import Daemon

SESSIONS = ("vendas", "suporte", "financeiro", "entregas", "agenda")
ANSWERS = (
    "Olá! Como posso ajudar?",
    "Seu pedido já saiu para entrega 🚚",
    "Pode me enviar o número do pedido, por favor?",
    "Agendado para amanhã às 10h. Até lá!",
    "O boleto foi enviado para o seu e-mail.",
)
ANSWER_EVERY_S = 1.0
DEMO = Caller("demo", Role.ADMIN)


def with_demo_settings(settings: Settings) -> Settings:
    """The simulator on, at a pace at which one can watch; everything else as it is configured."""
    profile = {
        "enabled": True,
        "auto_scan_ms": 800.0,
        "connect_ms": 300.0,
        "inbound_rate": 0.5,
        "sent_ms": {"median": 120, "p99": 900},
        "delivered_ms": {"median": 400, "p99": 4000},
        "read_ms": {"median": 3000, "p99": 30_000},
        "read_rate": 0.8,
    }
    simulator = type(settings.simulator).model_validate(settings.simulator.model_dump() | profile)
    sessions = settings.sessions.model_copy(update={"default_link": LinkKind.SIMULATOR})
    # A line a message would bury the banner.
    latency = settings.latency.model_copy(update={"log": "slow"})
    return settings.model_copy(update={"simulator": simulator, "sessions": sessions, "latency": latency})


async def play_demo(daemon: "Daemon") -> None:
    """Create the sessions where they are not there yet, tell when they are ready, then answer people for ever."""
    service, registry = daemon.rooms.service, daemon.rooms.registry
    there = {seat.name for seat in registry}
    for name in SESSIONS:
        if name not in there:
            try:
                await service.call("session.create", SessionCreateParams(name=name, owner="demo"), DEMO)
            except PombalError as error:
                if error.kind == Kind.SHUTTING_DOWN:
                    return
                raise
    while not all(registry.find(name).state.status == SessionStatus.READY for name in SESSIONS):
        await daemon.rooms.hub.news()
    _show_banner(daemon, await _sign_in_link(daemon))
    turn = 0
    while True:
        await trio.sleep(ANSWER_EVERY_S)
        await _answer(daemon, SESSIONS[turn % len(SESSIONS)], ANSWERS[turn % len(ANSWERS)], turn)
        turn += 1


async def _answer(daemon: "Daemon", session: str, text: str, turn: int) -> None:
    """One answer of an agent. A session that somebody stopped, or deleted, takes none."""
    params = SendParams(session=session, to=f"55119{90000001 + turn % 20:08d}", text=text)
    try:
        await daemon.rooms.service.send(params, DEMO)
    except PombalError:
        return


async def _sign_in_link(daemon: "Daemon") -> str:
    """Where a browser gets in, once, within ten minutes."""
    if not daemon.http_urls:
        return "switched off ([http] enabled)"
    params = TokenCreateParams(owner=DEMO.name, role="admin", sign_in_link=True)
    made = await daemon.rooms.service.call("token.create", params, DEMO)
    if not isinstance(made, TokenCreated):
        raise TypeError("token.create answers with TokenCreated")
    return made.sign_in_link or ""


def _show_banner(daemon: "Daemon", dashboard: str) -> None:
    socket = daemon.paths.socket
    metrics = f"{daemon.http_urls[0]}/metrics" if daemon.http_urls else "switched off ([http] enabled)"
    text = (
        f"[bold]Pombal demo[/]: {len(SESSIONS)} simulated sessions are ready and talking. No WhatsApp is involved.\n\n"
        f"control socket  {socket}\nmetrics         {metrics}\ndatabase        {daemon.paths.database}\n\n"
        f"Try next, in another terminal:\n\n  export POMBAL_SOCKET={socket}\n"
        "  pombal top\n  pombal events --follow\n  pombal send vendas 5511999999999 'Olá!' --wait read --timeout 60"
    )
    console = Console(soft_wrap=True, highlight=False)
    # A frame cuts what is wider than the screen, and a pipe has no width: then the paths matter more.
    widest = max(map(len, text.splitlines()))
    framed = console.is_terminal and widest + 4 <= console.width
    console.print(Panel(text, expand=False) if framed else text)
    # On a line of its own, unframed: it is longer than most screens are wide, and has to be copied whole.
    console.print(f"Dashboard, by a link that signs you in once, within ten minutes:\n\n  {dashboard}\n")
