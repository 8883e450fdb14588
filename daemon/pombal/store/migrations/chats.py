"""The chats of a session, and whom it knows."""

from sqlite_utils import Database


def m0007_chats(db: Database) -> None:
    """Reads every message once: seconds for each million."""
    # One row a conversation, kept by triggers within the writer's own statements: its newest message, the newest one
    # that somebody else wrote (who knows the name), and how many of those have not been read. So the list of chats is
    # as quick with a million messages as with ten.
    db.execute(
        """
        CREATE TABLE chats (
            session_key INTEGER NOT NULL,
            chat_id TEXT NOT NULL,
            last_message INTEGER NOT NULL,
            last_inbound INTEGER,
            unread INTEGER NOT NULL,
            PRIMARY KEY (session_key, chat_id)
        ) STRICT, WITHOUT ROWID
        """
    )
    db.execute("CREATE INDEX chats_by_last ON chats (session_key, last_message)")
    db.execute(f"INSERT INTO chats {_CHATS_OF} GROUP BY session_key, chat_id")
    this_chat = "session_key = {0}.session_key AND chat_id = {0}.chat_id"
    old_chat, new_chat = this_chat.format("old"), this_chat.format("new")
    db.execute(
        f"""
        CREATE TRIGGER chats_insert AFTER INSERT ON messages BEGIN
            INSERT INTO chats VALUES (
                new.session_key, new.chat_id, new.id, iif(new.direction = 'inbound', new.id, NULL), {_unread("new")}
            ) ON CONFLICT DO UPDATE SET last_message = max(last_message, excluded.last_message),
                last_inbound = coalesce(max(last_inbound, excluded.last_inbound), excluded.last_inbound, last_inbound),
                unread = unread + excluded.unread;
        END
        """
    )
    db.execute(
        f"""
        CREATE TRIGGER chats_read AFTER UPDATE OF status ON messages WHEN {_unread("old")} <> {_unread("new")} BEGIN
            UPDATE chats SET unread = unread + {_unread("new")} - {_unread("old")} WHERE {new_chat};
        END
        """
    )
    # WhatsApp came to know a person by another address: rare, so both chats are counted anew.
    db.execute(
        f"""
        CREATE TRIGGER chats_moved AFTER UPDATE OF chat_id ON messages WHEN old.chat_id <> new.chat_id BEGIN
            DELETE FROM chats WHERE session_key = new.session_key AND chat_id IN (old.chat_id, new.chat_id);
            INSERT INTO chats {_CHATS_OF}
            WHERE session_key = new.session_key AND chat_id IN (old.chat_id, new.chat_id) GROUP BY session_key, chat_id;
        END
        """
    )
    newest = f"(SELECT id FROM messages WHERE {old_chat} ORDER BY id DESC LIMIT 1)"
    newest_in = f"(SELECT id FROM messages WHERE {old_chat} AND direction = 'inbound' ORDER BY id DESC LIMIT 1)"
    db.execute(
        f"""
        CREATE TRIGGER chats_delete AFTER DELETE ON messages BEGIN
            DELETE FROM chats WHERE {old_chat} AND last_message = old.id AND {newest} IS NULL;
            UPDATE chats SET unread = unread - {_unread("old")} WHERE {old_chat};
            UPDATE chats SET last_message = {newest} WHERE {old_chat} AND last_message = old.id;
            UPDATE chats SET last_inbound = {newest_in} WHERE {old_chat} AND last_inbound = old.id;
        END
        """
    )


def _unread(row: str) -> str:
    """1 for a message that came in through this gateway and has not been read; 0 for any other."""
    return f"({row}.direction = 'inbound' AND {row}.origin = 'api' AND {row}.status <> 'read')"


_CHATS_OF = f"""
    SELECT session_key, chat_id, max(id), max(iif(direction = 'inbound', id, NULL)), sum({_unread("messages")})
    FROM messages
"""


def m0008_contacts(db: Database) -> None:
    """Takes no longer on a large database: a column with a default is added without touching the rows."""
    db.execute("ALTER TABLE messages ADD COLUMN is_resolved INTEGER NOT NULL DEFAULT 0")
    db.execute(
        """
        CREATE TABLE contacts (
            session_key INTEGER NOT NULL,
            number TEXT NOT NULL,
            canonical_id TEXT NOT NULL,
            lid TEXT,
            name TEXT,
            PRIMARY KEY (session_key, number)
        ) STRICT, WITHOUT ROWID
        """
    )
    # Whose number is it that writes under this LID?
    db.execute("CREATE INDEX contacts_by_lid ON contacts (session_key, lid) WHERE lid IS NOT NULL")
