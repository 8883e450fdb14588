"""Every event, command and result that can go over the wire, as hypothesis makes them up."""

from hypothesis import strategies as st

from pombal.link import base
from pombal.link.wire import commands, frames
from pombal.model.message import Direction, MessageStatus, MessageType, Origin

NUMBER_MAX = 2**63 - 1

# No lone surrogates: what they become has a test of its own.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
maybe_text = st.none() | texts
times_ms = st.integers(0, NUMBER_MAX)
numbers = st.integers(0, NUMBER_MAX)
sha256s = st.text("0123456789abcdef", min_size=64, max_size=64)
transfers = st.integers(0, 2**32 - 1)

json_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), NUMBER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
json_values = st.recursive(
    json_leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
contents = st.none() | st.dictionaries(texts, json_values, max_size=4)
link_ids = st.lists(texts, max_size=4).map(tuple)

events = st.one_of(
    st.builds(base.Qr, texts, times_ms),
    st.builds(base.PairCode, texts, times_ms),
    st.builds(base.Authenticated, texts, texts, maybe_text),
    st.just(base.Ready()),
    st.builds(
        base.IncomingMessage,
        link_id=texts,
        chat_id=texts,
        timestamp_s=st.integers(),
        message_type=st.sampled_from(MessageType),
        text=maybe_text,
        participant=texts,
        contact_number=maybe_text,
        contact_lid=maybe_text,
        contact_name=maybe_text,
        content=contents,
        quoted_link_id=maybe_text,
        direction=st.sampled_from(Direction),
        origin=st.sampled_from(Origin),
        offline=st.booleans(),
    ),
    st.builds(base.Receipt, link_ids, st.sampled_from(MessageStatus), st.none() | st.integers()),
    st.builds(base.Sent, texts, st.none() | st.integers()),
    st.builds(base.Failed, texts, texts, texts),
    st.builds(base.Edited, texts, texts, texts),
    st.builds(base.Revoked, texts, texts),
    st.builds(base.Ended, st.sampled_from(base.EndKind), texts, st.none() | times_ms),
    st.builds(base.Restricted, times_ms, texts),
    st.builds(base.Garbage, texts, texts),
    st.builds(base.Gap, texts),
)

asked = st.one_of(
    st.builds(base.Outgoing, texts, texts, maybe_text, st.sampled_from(MessageType), maybe_text, contents, maybe_text),
    st.builds(commands.MarkRead, texts, texts, link_ids),
    st.builds(commands.CheckContacts, link_ids),
    st.builds(commands.GetPairCode, texts),
    st.just(commands.Logout()),
    st.just(commands.Probe()),
    st.builds(commands.HasMedia, sha256s),
    st.builds(commands.PutMedia, sha256s, numbers, transfers),
    st.builds(commands.GetMedia, sha256s, transfers),
    st.builds(commands.MediaTaken, sha256s),
)

contact_infos = st.builds(base.ContactInfo, texts, st.booleans(), maybe_text, maybe_text)

sessions = st.builds(
    frames.SessionInfo,
    texts,
    texts,
    maybe_text,
    maybe_text,
    maybe_text,
    st.dictionaries(texts, json_values, max_size=3),
)


def results_of(command: commands.Command) -> st.SearchStrategy[commands.Result]:
    match command:
        case commands.CheckContacts():
            return st.builds(commands.Contacts, st.lists(contact_infos, max_size=3).map(tuple))
        case commands.GetPairCode():
            return st.builds(base.PairCode, texts, times_ms)
        case commands.HasMedia():
            return st.builds(commands.Has, st.booleans())
    return st.just(commands.Done())


media_items = st.builds(frames.MediaItem, sha256s, numbers, texts)
facts = st.builds(frames.Facts, st.booleans(), st.none() | times_ms, st.none() | numbers)
