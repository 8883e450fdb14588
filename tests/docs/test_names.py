"""Keys of the configuration, metrics, methods and events are called by their names, wherever a page names them."""

import re
from pathlib import Path

import pytest

from pombal.config.keys import all_keys, sections
from pombal.config.settings import MetricsSettings
from pombal.model.events import EventType
from pombal.ops.metrics import Metrics
from pombal.service.catalog import METHODS
from tests.docs.pages import PAGES, code_spans, name_of

KEYS = set(all_keys())
SECTIONS = set(sections())
METRICS = set(
    re.findall(
        r"^# TYPE (pombal_\w+) ",
        Metrics("1.2.3", lambda: MetricsSettings(per_session=True)).render("")[0].decode(),
        flags=re.MULTILINE,
    )
)
METHOD_OR_EVENT = {*METHODS, *EventType, "simulator.db", "pombal.db", "pombal.http_client"}
FAMILIES = {name.partition(".")[0] for name in METHOD_OR_EVENT}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_metrics_exist(page: Path) -> None:
    named = {match for span in code_spans(page) for match in re.findall(r"^pombal_[a-z_]+", span)}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in named} <= METRICS


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_looks_like_a_key_a_method_or_an_event_is_one(page: Path) -> None:
    dotted = {span for span in code_spans(page) if re.fullmatch(r"[a-z]+\.[a-z_]+", span)}
    candidates = {span for span in dotted if span.partition(".")[0] in SECTIONS | FAMILIES}
    assert {span for span in candidates if not is_known(span)} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_keys_written_with_their_section_exist(page: Path) -> None:
    written = {match for span in code_spans(page) for match in re.findall(r"^\[([a-z]+)\] ([a-z_]+)", span)}
    assert {f"{section}.{key}" for section, key in written} <= KEYS


def is_known(name: str) -> bool:
    is_file = re.search(r"\.(toml|md|db|json|service|socket|sock|lock)$", name) is not None
    return is_file or name in KEYS | METHOD_OR_EVENT
