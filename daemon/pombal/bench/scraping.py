"""Reading the daemon's own metrics, as Prometheus would."""

from collections.abc import Mapping

import trio
from prometheus_client.parser import text_string_to_metric_families

_READ_BYTES = 65_536


async def scrape(port: int) -> str:
    """The text of /metrics. Raises ConnectionError where the answer is another."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := await stream.receive_some(_READ_BYTES):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"/metrics answered {head.splitlines()[0].decode(errors='replace')}")
    return body.decode()


def sample_of(text: str, name: str, labels: Mapping[str, str]) -> float:
    """The value of one sample; 0 where there is none yet."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    )


def pauses(text: str, over_s: float) -> float:
    """How often the daemon's loop has been later than over_s, which must be a bound of its histogram."""
    counted = {
        sample.labels.get("le", sample.name): sample.value
        for family in text_string_to_metric_families(text)
        if family.name == "pombal_loop_lag_seconds"
        for sample in family.samples
    }
    return counted["+Inf"] - counted[str(over_s)]
