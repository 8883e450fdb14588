"""The full-text index does not come to lie in as many pieces as there were commits."""

from tests.store.building import Store, receive


def test_small_segments_are_merged_by_six(store: Store) -> None:
    """FTS5 would wait for sixteen, and a search looks into each."""
    key = store.session().key
    for number in range(15):
        store.do(receive(store.clock.advance(1), key, f"m{number}", f"bom dia {number}"))
    assert int(store.one("SELECT count(DISTINCT segid) FROM messages_search_idx")) <= 2 + 3
