"""How a fetched part is put into a page (merge.js), in Chromium and without a daemon: lists and their ends."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

import pombal.dashboard
from tests.dashboard.live import chromium

pytestmark = pytest.mark.system("chromium")

MERGE = Path(pombal.dashboard.__file__).parent / "static" / "js" / "merge.js"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    module = base64.b64encode(MERGE.read_bytes()).decode()
    with chromium() as browser:
        page = browser.new_page()
        page.evaluate(f"async () => {{ window.merging = await import('data:text/javascript;base64,{module}'); }}")
        yield page


def part(numbers: range, older: int | None) -> str:
    """A page of a thread, oldest first, as the daemon renders it."""
    more = f'<p class="more"><a data-more href="http://pombal/chat?before={older}">older</a></p>' if older else ""
    lines = "".join(f'<li id="m-{number}" data-cursor="{number}">{number}</li>' for number in numbers)
    return f'{more}<ol data-list="">{lines}</ol>'


class Thread:
    """The part of a page that shows a thread, which grows downwards; or a list (grow: "") that is shown whole."""

    def __init__(self, page: Page, html: str, grow: str = "down") -> None:
        self._page = page
        page.evaluate(
            """([html, grow]) => {
                document.body.innerHTML = `<div data-grow="${grow}">${html}</div>`;
                window.merging.remember(document.body);
                const part = document.body.firstElementChild;
                Object.assign(part.style, { height: "20rem", overflowY: "auto" });
                part.scrollTop = part.scrollHeight;
                window.first = document.querySelector("[data-list]")?.firstElementChild;
            }""",
            [html, grow],
        )

    def merge(self, html: str, *, stay: bool = False) -> None:
        """Whoever reads its end sees what comes; stay: whoever has gone back stays where they are."""
        self._page.evaluate(
            """([html, stay]) => {
                const part = document.body.firstElementChild;
                window.merging.mergePart(part, html);
                if (!stay) part.scrollTop = part.scrollHeight;
            }""",
            [html, stay],
        )

    def go_back_to_its_beginning(self) -> None:
        self._page.evaluate("document.body.firstElementChild.scrollTop = 0")

    def shown(self) -> list[int]:
        lines: list[int] = self._page.evaluate(
            "[...document.querySelectorAll('li')].map(each => Number(each.innerText))"
        )
        return lines

    def older(self) -> str | None:
        """Where the way to what is older leads, which stands before the list."""
        address: str | None = self._page.evaluate(
            "document.querySelector('.more + [data-list]') && document.querySelector('[data-more]').href"
        )
        return address

    def keeps_its_first_line(self) -> bool:
        kept: bool = self._page.evaluate("window.first === document.querySelector('[data-list]').firstElementChild")
        return kept


def test_what_came_is_added_and_what_was_there_is_not_touched(page: Page) -> None:
    thread = Thread(page, part(range(51, 101), older=51))
    thread.merge(part(range(61, 111), older=61))
    assert thread.shown() == list(range(51, 111))
    assert thread.older() == "http://pombal/chat?before=51"
    assert thread.keeps_its_first_line()


def test_where_more_came_than_a_page_holds_the_way_leads_to_what_is_between(page: Page) -> None:
    """Else nobody would ever see the fifty between the old lines and the new ones."""
    thread = Thread(page, part(range(51, 101), older=51))
    thread.merge(part(range(151, 201), older=151))
    assert thread.shown() == list(range(151, 201))
    assert thread.older() == "http://pombal/chat?before=151"


def test_a_thread_that_began_here_gets_a_way_to_what_is_between(page: Page) -> None:
    thread = Thread(page, part(range(1, 11), older=None))
    assert thread.older() is None
    thread.merge(part(range(61, 111), older=61))
    assert thread.older() == "http://pombal/chat?before=61"


@pytest.mark.parametrize("began_at", [1, 51])
def test_a_long_thread_is_cut_at_its_far_end_and_the_way_leads_there(page: Page, began_at: int) -> None:
    thread = Thread(page, part(range(began_at, began_at + 50), older=None if began_at == 1 else began_at))
    for first in range(began_at + 40, began_at + 480, 40):
        thread.merge(part(range(first, first + 50), older=first))
    shown = thread.shown()
    assert shown == list(range(shown[0], began_at + 490))[-len(shown) :]
    assert 300 <= len(shown) <= 400
    assert thread.older() == f"http://pombal/chat?before={shown[0]}"


def test_what_somebody_has_gone_back_to_is_not_taken_away(page: Page) -> None:
    thread = Thread(page, part(range(1, 391), older=None))
    thread.go_back_to_its_beginning()
    thread.merge(part(range(361, 411), older=361), stay=True)
    assert thread.shown() == list(range(1, 411))
    thread.merge(part(range(371, 421), older=371))
    thread.merge(part(range(381, 431), older=381))
    assert thread.shown() == list(range(131, 431))


def test_what_lies_beyond_the_part_that_is_asked_for_stays(page: Page) -> None:
    """A list that is longer than one request brings is not cut under the eyes of whoever has scrolled to its end."""
    table = Thread(page, part(range(1, 11), older=None), grow="")
    table.merge(part(range(1, 7), older=6).replace('<li id="m-2" data-cursor="2">2</li>', ""))
    assert table.shown() == [1, 3, 4, 5, 6, 7, 8, 9, 10]
    assert table.older() is None
    table.merge(part(range(1, 7), older=None))
    assert table.shown() == [1, 2, 3, 4, 5, 6]


def rows(numbers: list[int]) -> str:
    lines = "".join(f'<li id="m-{number}" data-cursor="{number}">{number}</li>' for number in numbers)
    return (
        f'<ol data-list="">{lines}</ol><p class="more"><a data-more href="http://p/?cursor={numbers[-1]}">more</a></p>'
    )


def test_the_last_row_goes_where_another_has_taken_its_place(page: Page) -> None:
    shown = Thread(page, rows([*range(1, 51)]), grow="")
    shown.merge(rows([*range(1, 50), 51]))
    assert shown.shown() == [*range(1, 50), 51]


def test_what_moves_to_the_top_from_beyond_takes_nothing_with_it(page: Page) -> None:
    shown = Thread(page, rows([*range(1, 11)]), grow="")
    shown.merge(rows([8, 1, 2, 3, 4, 5]))
    assert shown.shown() == [8, 1, 2, 3, 4, 5, 6, 7, 9, 10]


def test_what_somebody_has_opened_stays_open(page: Page) -> None:
    part_of = '<p>{}</p><details id="numbers"><summary>In numbers</summary>{}</details>'
    figures = Thread(page, part_of.format(1, 1), grow="")
    page.evaluate("document.getElementById('numbers').open = true")
    figures.merge(part_of.format(2, 2))
    assert page.evaluate("document.getElementById('numbers').open")
    assert page.evaluate("document.getElementById('numbers').textContent").endswith("2")


def test_what_changed_is_replaced_in_its_place(page: Page) -> None:
    thread = Thread(page, part(range(1, 4), older=None))
    thread.merge(part(range(1, 4), older=None).replace('data-cursor="2">2', 'data-cursor="2">22'))
    assert thread.shown() == [1, 22, 3]
    assert thread.keeps_its_first_line()
