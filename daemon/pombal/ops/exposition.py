"""The page that Prometheus reads, in the format its Accept header asks for."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

_OPENMETRICS = "application/openmetrics-text"
_TEXT = frozenset({"text/plain", "text/*", "*/*"})


def render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The page and its content type: OpenMetrics 1.0.0 where it is asked for by name, else Prometheus text 0.0.4.

    The client library's own choose_encoder fails on a version that is no number, and does not weigh q.
    """
    if _prefers_openmetrics(accept):
        page: bytes = openmetrics.generate_latest(registry, version="1.0.0")  # type: ignore[no-untyped-call]  # theirs
        return page, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def _prefers_openmetrics(accept: str) -> bool:
    weights = {"openmetrics": 0.0, "text": 0.0}
    for media_range in accept.lower().split(","):
        name, *parameters = (part.strip() for part in media_range.split(";"))
        kind = "openmetrics" if name == _OPENMETRICS else "text" if name in _TEXT else None
        if kind is not None:
            weights[kind] = max(weights[kind], _weight(parameters))
    return 0 < weights["openmetrics"] >= weights["text"]


def _weight(parameters: list[str]) -> float:
    """RFC 9110, 12.4.2: 1 where nothing is said. What is no number is taken as not wanted."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
