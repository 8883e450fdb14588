"""Which decision belongs to which change, and what each must have read beforehand."""

from collections.abc import Callable, Iterable
from typing import Any

from pombal.model import changes, erasure_changes, removal_changes
from pombal.model.changes import Change
from pombal.model.message import Direction
from pombal.model.phone import LID_SERVER, number_of, server_of
from pombal.store.decisions import audit, erasure, housekeeping, imports, inbound, outbound, people, retention, sessions
from pombal.store.loading import Wanted
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
    changes.SpreadRollups: housekeeping.spread_rollups,
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
    wanted = Wanted()
    for change in batch:
        session_key = getattr(change, "session_key", None)
        if session_key is not None:
            wanted.sessions.add(session_key)
        match change:  # those first of which there are most
            case changes.RecordMessage():
                wanted.links.add((change.session_key, change.link_id))
                for named in (change.quoted_link_id, inbound.reaction_target(change)):
                    if named:
                        wanted.links.add((change.session_key, named))
                addresses = (change.contact_lid, change.participant, change.chat_id)
                _people(wanted, change.session_key, change.contact_number, *addresses)
            case changes.Advance():
                wanted.links.add((change.session_key, change.link_id))
            case changes.MarkDispatched() | changes.MarkOverdue():
                wanted.messages.update(change.message_ids)
            case changes.QueueMessage():
                wanted.ids.update(_named_by(change))
                wanted.links.add((change.session_key, change.link_id))
                wanted.sends.add((change.session_key, id_hash(change.session_key, change.message_id)))
                _people(wanted, change.session_key, change.contact_number, change.chat_id)
                if change.content and "media" in change.content:
                    wanted.media.add(change.content["media"]["sha256"])
            case changes.CancelMessage() | changes.ResendMessage():
                wanted.ids.add((change.session_key, change.message_id, Direction.OUTBOUND))
            case changes.MarkRead():
                wanted.ids.update((change.session_key, name, Direction.INBOUND) for name in change.message_ids)
            case changes.LearnContacts():
                wanted.messages.update(change.message_ids)
                for contact in change.contacts:
                    _people(wanted, change.session_key, contact.number, contact.lid)
            case changes.ImportMessage():
                wanted.links.add((change.session_key, change.message.link_id))
                wanted.ids.add((change.session_key, change.message.message_id, change.message.direction))
                _people(wanted, change.session_key, change.message.contact_number, change.message.chat_id)
            case changes.EditMessage() | changes.RevokeMessage():
                wanted.links.add((change.session_key, change.link_id))
                _people(wanted, change.session_key, number_of(change.chat_id), change.chat_id)
    space.load(wanted)


def _people(wanted: Wanted, session_key: int, number: str | None, *addresses: str | None) -> None:
    """Whom a change speaks of: by number, and by those of its addresses that are LIDs."""
    if number is not None:
        wanted.numbers.add((session_key, number))
    for address in addresses:
        if address and server_of(address) == LID_SERVER:
            wanted.lids.add((session_key, address))


def _named_by(change: changes.QueueMessage) -> Iterable[tuple[int, str, str]]:
    """The message itself, what it quotes and what it reacts to."""
    yield change.session_key, change.message_id, Direction.OUTBOUND
    reaction = (change.content or {}).get("reaction")
    for named in (change.quoted_message_id, reaction and reaction.get("message_id")):
        if named:
            yield from ((change.session_key, named, direction) for direction in Direction)
