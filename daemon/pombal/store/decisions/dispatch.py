"""Which decision belongs to which change, and what each must have read beforehand."""

from collections.abc import Callable, Iterable
from typing import Any

from pombal.model import changes, erasure_changes, removal_changes
from pombal.model.changes import Change
from pombal.model.message import Direction
from pombal.model.phone import LID_SERVER, number_of, server_of
from pombal.store.decisions import audit, erasure, housekeeping, imports, inbound, outbound, people, retention, sessions
from pombal.store.statements import id_hash
from pombal.store.workspace import Workspace

DECISIONS: dict[type[Change], Callable[[Any, Workspace], Any]] = {
    changes.CreateSession: sessions.create,
    changes.UpdateSession: sessions.update,
    changes.DeleteSession: sessions.delete,
    changes.SetSessionState: sessions.set_state,
    changes.CountSession: sessions.count,
    changes.TellGap: sessions.tell_gap,
    changes.ShowCode: sessions.show_code,
    changes.QueueMessage: outbound.queue,
    changes.LearnContacts: people.learn,
    changes.MarkDispatched: outbound.mark_dispatched,
    changes.CancelMessage: outbound.cancel,
    changes.ResendMessage: outbound.resend,
    changes.MarkOverdue: outbound.mark_overdue,
    changes.RecordMessage: inbound.record,
    changes.Advance: inbound.advance,
    changes.MarkRead: inbound.mark_read,
    changes.EditMessage: inbound.edit,
    changes.RevokeMessage: inbound.revoke,
    changes.KeepRejected: inbound.keep_rejected,
    changes.FailQueue: housekeeping.fail_queue,
    removal_changes.PruneEvents: housekeeping.prune_events,
    removal_changes.ClearCodes: housekeeping.clear_codes,
    removal_changes.PruneRollups: housekeeping.prune_rollups,
    removal_changes.PruneMessages: retention.prune_messages,
    removal_changes.PurgeMessages: retention.purge_messages,
    changes.PutMedia: retention.put_media,
    removal_changes.ForgetMedia: retention.forget_media,
    changes.NoteCall: audit.note,
    removal_changes.PruneAudit: audit.prune,
    erasure_changes.WantErasure: erasure.want,
    erasure_changes.EraseMessages: erasure.messages,
    erasure_changes.RedactMentions: erasure.redact,
    erasure_changes.EraseEvents: erasure.events,
    erasure_changes.EraseRejected: erasure.rejected,
    erasure_changes.RedactAudit: erasure.audit,
    erasure_changes.EraseContacts: erasure.contacts,
    erasure_changes.ForgetPerson: erasure.forget_person,
    erasure_changes.MergeSearch: erasure.merge_search,
    erasure_changes.FinishErasures: erasure.finish,
    changes.ImportSession: imports.session,
    changes.ImportMessage: imports.message,
}


def decide(change: Change, space: Workspace) -> Any:
    """Carry change out on the workspace; its answer, as changes.py names it. Raises PombalError for a refusal."""
    return DECISIONS[type(change)](change, space)


def load_for(batch: Iterable[Change], space: Workspace) -> None:
    """Read everything that batch will ask for."""
    session_keys: set[int] = set()
    message_rows: set[int] = set()
    link_keys: set[tuple[int, str]] = set()
    id_keys: set[tuple[int, str, str]] = set()
    media: set[str] = set()
    numbers: set[tuple[int, str]] = set()
    lids: set[tuple[int, str]] = set()
    sends: set[tuple[int, str]] = set()
    for change in batch:
        session_key = getattr(change, "session_key", None)
        if session_key is not None:
            session_keys.add(session_key)
        match change:  # those first of which there are most
            case changes.RecordMessage():
                link_keys.add((change.session_key, change.link_id))
                for named in (change.quoted_link_id, inbound.reaction_target(change)):
                    if named:
                        link_keys.add((change.session_key, named))
                addresses = (change.contact_lid, change.participant, change.chat_id)
                _people(change.session_key, numbers, lids, change.contact_number, *addresses)
            case changes.Advance():
                link_keys.add((change.session_key, change.link_id))
            case changes.MarkDispatched() | changes.MarkOverdue():
                message_rows.update(change.message_ids)
            case changes.QueueMessage():
                id_keys.update(_named_by(change))
                sends.add((change.session_key, id_hash(change.session_key, change.message_id)))
                _people(change.session_key, numbers, lids, change.contact_number, change.chat_id)
                if change.content and "media" in change.content:
                    media.add(change.content["media"]["sha256"])
            case changes.CancelMessage() | changes.ResendMessage():
                id_keys.add((change.session_key, change.message_id, Direction.OUTBOUND))
            case changes.MarkRead():
                id_keys.update((change.session_key, name, Direction.INBOUND) for name in change.message_ids)
            case changes.LearnContacts():
                message_rows.update(change.message_ids)
                for contact in change.contacts:
                    _people(change.session_key, numbers, lids, contact.number, contact.lid)
            case changes.ImportMessage():
                link_keys.add((change.session_key, change.message.link_id))
                id_keys.add((change.session_key, change.message.message_id, change.message.direction))
                _people(change.session_key, numbers, lids, change.message.contact_number, change.message.chat_id)
            case changes.EditMessage() | changes.RevokeMessage():
                link_keys.add((change.session_key, change.link_id))
                _people(change.session_key, numbers, lids, number_of(change.chat_id), change.chat_id)
    space.load(session_keys, message_rows, link_keys, id_keys, media, numbers, lids, sends)


def _people(
    session_key: int, numbers: set[tuple[int, str]], lids: set[tuple[int, str]], number: str | None,
    *addresses: str | None,
) -> None:  # fmt: skip
    """Whom a change speaks of: by number, and by those of its addresses that are LIDs."""
    if number is not None:
        numbers.add((session_key, number))
    lids.update((session_key, address) for address in addresses if address and server_of(address) == LID_SERVER)


def _named_by(change: changes.QueueMessage) -> Iterable[tuple[int, str, str]]:
    """The message itself, what it quotes and what it reacts to."""
    yield change.session_key, change.message_id, Direction.OUTBOUND
    reaction = (change.content or {}).get("reaction")
    for named in (change.quoted_message_id, reaction and reaction.get("message_id")):
        if named:
            yield from ((change.session_key, named, direction) for direction in Direction)
