"""Every method there is: what it takes, what it answers with, and who may call it."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from pombal.model import daemon_results, latency_results
from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Access
from pombal.model.message import Message
from pombal.model.session import Session


@dataclass(frozen=True, slots=True)
class Method:
    """One method; ``summary`` is a line for help texts."""

    name: str
    params: type[p.Params]
    result: type[BaseModel]
    access: Access
    summary: str


def _methods() -> Iterator[Method]:
    read, secret, write = Access.READ, Access.SECRET, Access.WRITE
    yield Method("daemon.status", p.NoParams, daemon_results.DaemonStatus, read, "How the daemon is.")
    yield Method(
        "daemon.actors", p.ActorsParams, daemon_results.ActorPage, read, "The supervision tree, one actor a row."
    )
    yield Method(
        "daemon.internals",
        p.NoParams,
        daemon_results.DaemonInternals,
        read,
        "The recorder's commits, who listens, what was removed.",
    )
    yield Method("daemon.reload", p.NoParams, daemon_results.Reloaded, write, "Read the configuration file again.")

    yield Method("session.create", p.SessionCreateParams, Session, write, "Create a session, and start it.")
    yield Method("session.update", p.SessionUpdateParams, Session, write, "Change owner, device name or settings.")
    yield Method("session.start", p.SessionNameParams, Session, write, "Start a session; never waits for a scan.")
    yield Method("session.stop", p.SessionNameParams, Session, write, "Stop a session; its queue is kept.")
    yield Method("session.restart", p.SessionNameParams, Session, write, "Stop a session and start it.")
    yield Method("session.logout", p.SessionNameParams, Session, write, "Remove this device from the account.")
    yield Method("session.get", p.SessionNameParams, Session, read, "One session.")
    yield Method("session.delete", p.SessionDeleteParams, r.SessionDeleted, write, "Unlink and delete a session.")
    yield Method("session.list", p.SessionListParams, r.SessionPage, read, "Sessions, filtered.")
    yield Method("session.qr", p.SessionNameParams, r.LinkCode, secret, "The QR code to scan now.")
    yield Method("session.pair_code", p.PairCodeParams, r.LinkCode, secret, "A code to link without a camera.")
    yield Method(
        "session.metrics",
        p.SessionNameParams,
        latency_results.SessionMetrics,
        read,
        "Counters and latency of a session.",
    )
    yield Method(
        "session.figures",
        p.SessionFiguresParams,
        latency_results.SessionFiguresList,
        read,
        "Rates, queues and latency by session.",
    )

    yield Method("chat.list", p.ChatListParams, r.ChatPage, read, "The conversations of a session, newest first.")
    yield Method("message.send", p.SendParams, Message, write, "Queue a message; answered once it is committed.")
    yield Method("message.get", p.MessageGetParams, Message, read, "One message.")
    yield Method("message.list", p.MessageListParams, r.MessagePage, read, "Messages, filtered, newest first.")
    yield Method("message.high_latency", p.HighLatencyParams, r.MessagePage, read, "Messages that took too long.")
    yield Method("message.mark_read", p.MarkReadParams, r.Marked, write, "Tell the senders that these were read.")
    yield Method("message.cancel", p.MessageRefParams, Message, write, "Take back a message that is still queued.")
    yield Method("message.resend", p.MessageRefParams, Message, write, "Send a failed or uncertain message again.")
    yield Method("contact.check", p.ContactCheckParams, r.ContactsChecked, read, "Which numbers are on WhatsApp.")

    yield Method("contact.export", p.ContactExportParams, r.ContactExport, secret, "All of a person, as a zip.")
    yield Method("contact.export_chunk", p.ContactExportChunkParams, r.MediaChunk, secret, "Read an export.")
    yield Method("contact.erase", p.ContactEraseParams, r.Erasure, write, "Remove all that there is of a person.")
    yield Method("contact.erasure", p.ContactErasureParams, r.Erasure, secret, "How far an erasure is.")

    yield Method(
        "latency.stats", p.LatencyParams, latency_results.LatencyStats, read, "Latency statistics, from rollups."
    )
    yield Method(
        "latency.series",
        p.LatencySeriesParams,
        latency_results.LatencySeries,
        read,
        "Latency over time, and its spread.",
    )
    yield Method("events.subscribe", p.SubscribeParams, r.Subscribed, read, "Be notified of events.")
    yield Method("events.unsubscribe", p.UnsubscribeParams, r.Nothing, read, "End a subscription.")
    yield Method("events.list", p.EventListParams, r.EventPage, read, "Events of the log.")

    yield Method("media.put", p.MediaPutParams, r.MediaPutAnswer, write, "Upload a file, chunk by chunk.")
    yield Method("media.get", p.MediaGetParams, r.MediaChunk, read, "Download a file, chunk by chunk.")

    yield Method("token.create", p.TokenCreateParams, r.TokenCreated, secret, "A token for the HTTP API.")

    yield Method("audit.list", p.AuditListParams, r.AuditPage, secret, "Who did what, newest first.")

    yield Method("simulator.scan", p.SessionNameParams, r.Scanned, write, "Play the phone that scans the QR code.")
    yield Method("simulator.inject", p.InjectParams, r.Injected, write, "Make inbound messages.")
    yield Method("simulator.fault", p.FaultParams, r.Faulted, write, "Make something go wrong.")


METHODS: dict[str, Method] = {method.name: method for method in _methods()}
