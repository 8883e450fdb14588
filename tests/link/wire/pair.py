"""Two ends that have greeted each other."""

from pombal.link.wire import DaemonEnd, GatewayEnd
from pombal.link.wire.frames import SessionInfo

SESSION = SessionInfo("01ARZ3NDEKTSV4RRFFQ69G5FAV", "vendas")


def gateway_end() -> GatewayEnd:
    return GatewayEnd("test 1", deduplicates=True, max_unacknowledged=100)


def greeted() -> tuple[DaemonEnd, GatewayEnd]:
    daemon, gateway = DaemonEnd(), gateway_end()
    gateway.receive(daemon.hello("0", SESSION))
    daemon.receive(gateway.hello())
    return daemon, gateway
