"""Every link between pages leads somewhere."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import PAGES, anchors, links, name_of


def target_of(page: Path, link: str) -> tuple[Path, str]:
    place, _, anchor = unquote(link).partition("#")
    return (page.parent / place).resolve() if place else page, anchor


def relative_links(page: Path) -> list[str]:
    return [link for link in links(page) if "://" not in link and not link.startswith("mailto:")]


def test_the_pages_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "docs/architecture.md"} <= {name_of(page) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_resolve(page: Path) -> None:
    missing = [link for link in relative_links(page) if not target_of(page, link)[0].exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_anchors_are_headings(page: Path) -> None:
    targets = ((link, *target_of(page, link)) for link in relative_links(page) if "#" in link)
    assert [link for link, place, anchor in targets if anchor not in anchors(place)] == []


def test_the_index_leads_to_every_page() -> None:
    index = next(page for page in PAGES if name_of(page) == "docs/README.md")
    reached = {target_of(index, link)[0] for link in relative_links(index)}
    pages = {page for page in PAGES if page.parent.name == "docs" and page != index}
    assert {name_of(page) for page in pages - reached} == set()
