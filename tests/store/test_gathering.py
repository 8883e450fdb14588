"""How many messages a search would have to gather, and that a search goes by it."""

from typing import Any

import pytest

from pombal.store import gathering, message_queries
from pombal.store import search_terms as search_terms_module
from pombal.store.gathering import expected_messages
from pombal.store.message_queries import list_messages
from pombal.store.message_ways import MessageFilter
from pombal.store.search_terms import SearchTerms
from pombal.store.text_matching import begins_in, matching
from tests.store.building import Store, receive


@pytest.mark.parametrize(
    ("text", "begins"),
    [("12 ovos", True), ("123", True), ("r 123", True), ("(123)", True), ("r$12,50", True), ("412 12", True),
     ("412", False), ("a12", False), ("1 2", False), ("", False), (None, True)],
)  # fmt: skip
def test_a_text_has_a_prefix_where_a_word_begins_with_it(text: str | None, begins: bool) -> None:
    assert begins_in("12", text) is begins


class TestExpected:
    def expected(self, store: Store, *gathered: str | None) -> int:
        return expected_messages(store.connection, SearchTerms("", gathered, ()))

    @pytest.fixture(autouse=True)
    def hundred(self, store: Store) -> None:
        """Of a hundred messages the first twenty speak of zebras: long ago, so to say."""
        key = store.session().key
        for number in range(100):
            store.do(receive(store.clock.advance(10), key, f"x{number}", f"zebra{number}" if number < 20 else "pombo"))

    def test_it_is_counted_where_every_message_can_be_looked_into(self, store: Store) -> None:
        """And one more, as everywhere."""
        assert self.expected(store, "zebra") == 21

    def test_a_sample_speaks_of_old_and_new(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gathering, "SAMPLED", 20)
        assert 10 <= self.expected(store, "zebra") <= 40

    def test_words_add_up(self, store: Store) -> None:
        assert self.expected(store, "zebra", "pombo") == 21 + 81

    def test_no_more_are_expected_than_there_are(self, store: Store) -> None:
        store.connection.execute("DELETE FROM messages WHERE text_content = 'pombo'")
        assert self.expected(store, "zebra") == 20

    def test_a_prefix_that_only_the_index_knows_may_be_in_every_message(self, store: Store) -> None:
        assert self.expected(store, "zebra", None) == 100

    def test_an_empty_store_has_nothing_to_gather(self, store: Store) -> None:
        store.connection.execute("DELETE FROM messages")
        assert self.expected(store, "zebra") == 0


class TestSearches:
    """A prefix of too many words to name, of the oldest message or of every one."""

    OLDER = 400

    @pytest.fixture
    def looked_into(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How many texts each look went through."""
        looks: list[int] = []

        def counted(connection: Any, ids: list[int], terms: SearchTerms, limit: int) -> list[int]:
            looks.append(len(ids))
            return matching(connection, ids, terms, limit)

        monkeypatch.setattr(message_queries, "matching", counted)
        monkeypatch.setattr(message_queries, "FIRST_TEXTS", 50)
        monkeypatch.setattr(message_queries, "GATHERED_A_STEP", 1)
        monkeypatch.setattr(search_terms_module, "WORDS_NAMED", 0)
        monkeypatch.setattr(message_queries, "WORDS_NAMED_LATER", 0)
        key = store.session().key
        for number in range(self.OLDER):
            text = "zebra99" if number == 0 else f"pombo{number}"
            store.do(receive(store.clock.advance(10), key, f"x{number}", text))
        return looks

    def found(self, store: Store, search: str) -> list[int]:
        return [row.id for row in list_messages(store.connection, MessageFilter(search=search, limit=500))]

    def test_a_rare_one_is_asked_of_the_index_after_the_first_look(self, store: Store, looked_into: list[int]) -> None:
        assert len(self.found(store, "zebra9")) == 1
        assert looked_into == [50]

    def test_a_common_one_is_looked_for_among_the_newest_first(self, store: Store, looked_into: list[int]) -> None:
        assert len(self.found(store, "pombo")) == self.OLDER - 1
        assert looked_into == [50, 200]  # then what is left is no more than the index would gather

    def test_of_two_the_common_one_decides_when(
        self, store: Store, looked_into: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(message_queries, "GATHERED_A_STEP", 0.25)  # 200 after the first look, 800 after the second
        assert self.found(store, "pombo zebra9") == []
        assert looked_into == [50, 200]

    def test_a_prefix_of_some_hundred_words_is_written_out_when_the_newest_are_not_enough(
        self, store: Store, looked_into: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Then the index tells the newest at once, however many messages there are."""
        monkeypatch.setattr(message_queries, "FIRST_TEXTS", 10)
        monkeypatch.setattr(message_queries, "LEAST_STEPS", 1)
        monkeypatch.setattr(message_queries, "GATHERED_A_STEP", 0)
        monkeypatch.setattr(message_queries, "WORDS_NAMED_LATER", self.OLDER)
        for number in range(200):
            store.do(receive(store.clock.advance(10), 1, f"y{number}", "nada"))
        assert len(self.found(store, "pombo")) == self.OLDER - 1
        assert looked_into == [10]

    @pytest.mark.parametrize("others", [{"session_keys": (1,)}, {"direction": "inbound"}, {"since_ms": 1}])
    def test_with_other_filters_the_same_is_found(
        self, store: Store, looked_into: list[int], monkeypatch: pytest.MonkeyPatch, others: dict[str, Any]
    ) -> None:
        for name, value in (("FIRST_TEXTS", 1), ("LEAST_STEPS", 1), ("GATHERED_A_STEP", 0), ("WORDS_NAMED_LATER", 900)):
            monkeypatch.setattr(message_queries, name, value)
        wanted = MessageFilter(search="pombo1", limit=150, **others)
        found = [row.text_content for row in list_messages(store.connection, wanted)]
        assert found == [f"pombo{n}" for n in reversed(range(1, self.OLDER)) if str(n).startswith("1")]
        assert looked_into

    def test_the_newest_of_several_sessions_are_the_newest_of_all(
        self, store: Store, looked_into: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Texts are matched some at a time: those of one session would be enough before the other's turn."""
        monkeypatch.setattr(message_queries, "FIRST_TEXTS", 1000)
        keys = 1, store.session("two").key
        for number in range(200):
            store.do(receive(store.clock.advance(10), keys[number % 2], f"y{number}", f"pombo{number}"))
        wanted = MessageFilter(search="pombo", session_keys=keys, limit=5)
        found = [row.text_content for row in list_messages(store.connection, wanted)]
        assert found == [f"pombo{number}" for number in (199, 198, 197, 196, 195)]
        assert looked_into
