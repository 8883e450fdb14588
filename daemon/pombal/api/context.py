"""What the routes work with; the composition root puts it together, and it hangs at the application."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from pombal.api.rate_limit import RateLimit
from pombal.auth.tokens import Tokens
from pombal.config.settings import Settings
from pombal.model.health import Health
from pombal.service.base import Service

RenderMetrics = Callable[[str], tuple[bytes, str]]


@dataclass(frozen=True, slots=True)
class Api:
    """health and render_metrics answer from memory, at once; the latter takes an Accept header and gives the page with
    its content type. settings: as they are now.
    """

    service: Service
    tokens: Tokens
    settings: Callable[[], Settings]
    health: Callable[[], Health]
    render_metrics: RenderMetrics
    rate_limit: RateLimit


def api_of(connection: HTTPConnection) -> Api:
    api: Api = connection.app.state.api
    return api
