"""The full-text index over messages."""

from sqlite_utils import Database


def m0003_search(db: Database) -> None:
    db.execute(
        """
        CREATE VIRTUAL TABLE messages_search USING fts5 (
            text_content, contact_number, contact_name,
            content = 'messages', content_rowid = 'id', tokenize = "unicode61 remove_diacritics 2"
        )
        """
    )
    old = "'delete', old.id, old.text_content, old.contact_number, old.contact_name"
    forget = (
        "INSERT INTO messages_search (messages_search, rowid, text_content, contact_number, contact_name) "
        f"VALUES ({old});"
    )
    learn = (
        "INSERT INTO messages_search (rowid, text_content, contact_number, contact_name) "
        "VALUES (new.id, new.text_content, new.contact_number, new.contact_name);"
    )
    columns = "text_content, contact_number, contact_name"
    db.execute(f"CREATE TRIGGER messages_search_insert AFTER INSERT ON messages BEGIN {learn} END")
    db.execute(f"CREATE TRIGGER messages_search_delete AFTER DELETE ON messages BEGIN {forget} END")
    db.execute(
        f"CREATE TRIGGER messages_search_update AFTER UPDATE OF {columns} ON messages BEGIN {forget} {learn} END"
    )


def m0013_vocabulary(db: Database) -> None:
    """A view on the full-text index; see search_terms.py."""
    db.execute("CREATE VIRTUAL TABLE messages_vocabulary USING fts5vocab (messages_search, instance)")


def m0022_fewer_segments(db: Database) -> None:
    """A setting of the full-text index: https://sqlite.org/fts5.html#the_crisismerge_configuration_option."""
    # Each transaction leaves a segment, and a search looks every word up in each of them. Small ones are merged once
    # there are six of a size, and not only when there are sixteen: commits take no longer. Six leaves `automerge` time
    # to merge four large ones little by little; with fewer, a commit would have to merge them at once.
    db.execute("INSERT INTO messages_search (messages_search, rank) VALUES ('crisismerge', 6)")
