"""The application and the registry together, over a real connection, as Prometheus meets them."""

from dataclasses import replace

import httpx2
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pombal.api.app import create_app
from pombal.config.settings import MetricsSettings
from pombal.ops.metrics import Metrics
from tests.api.conftest import Serve, World
from tests.api.hostile import WAIT_S

# What Prometheus 2.42 sends.
ACCEPT = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5"


async def test_requests_are_found_in_the_next_scrape(world: World, serving: Serve) -> None:
    metrics = Metrics("1.2.3", MetricsSettings)
    app = create_app(replace(world.api(), render_metrics=metrics.render), metrics.http_request)
    async with serving(app) as served, httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S) as http:
        await http.get("/api/v1/health/")
        await http.get("/nowhere")
        answer = await http.get("/metrics", headers={"Accept": ACCEPT})
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    parsed = text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]  # theirs
    families = {family.name: family for family in parsed}
    counted = {
        (each.labels["route"], each.labels["code"]): each.value for each in families["pombal_http_requests"].samples
    }
    assert counted == {("/api/v1/health", "200"): 1, ("unknown", "404"): 1}
