"""Every setting with its default, unit and reason; `config.toml` says the same for people, and a test compares them."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pombal.config.bind import TcpBind, check_bind, is_loopback, parse_bind
from pombal.config.urls import check_gateway_url, check_proxy
from pombal.model.session import LinkKind

Seconds = Annotated[float, Field(gt=0, le=31_536_000)]
Milliseconds = Annotated[float, Field(ge=0, le=86_400_000)]
Rate = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]
Claim = Annotated[str, Field(min_length=1, max_length=64)]

IN_THE_CLEAR = (
    "other machines can reach {bind}, and could read tokens and messages on the way: set tls_certificate and tls_key, "
    "or behind_proxy = true where a proxy in front has the certificate"
)


class Section(BaseModel):
    """A table of the file: unknown keys and wrong types are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DaemonSettings(Section):
    state_dir: str | None = Field(None, description="Where the database and all other lasting state lie.")
    runtime_dir: str | None = Field(None, description="Where the control socket lies.")
    drain_s: Seconds = Field(20.0, description="How long a stop may take before what is left is cancelled.")


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: console on a terminal, JSON lines elsewhere."
    )


class LatencySettings(Section):
    acceptable_ms: Count = Field(5000, description="A message slower than this is late; decided when it completes.")
    log: Literal["all", "slow"] = Field("all", description="slow: no log line for messages in time.")


class SessionSettings(Section):
    default_link: LinkKind | None = Field(
        None, strict=False, description="The link of a session created without one; none: it has to be said."
    )
    default_owner: str = Field(
        "operator", min_length=1, max_length=128, description="Owner of a session created without one."
    )
    start_concurrency: Count = Field(200, description="How many sessions connect at once when the daemon starts.")
    mailbox_capacity: Count = Field(64, description="Commands that may wait for one session; more are refused.")
    command_timeout_s: Seconds = Field(
        30.0, description="How long a command may wait and run before it is answered so."
    )
    restart_intensity: Count = Field(5, description="Crashes within restart_period_s that put a session in crash_loop.")
    restart_period_s: Seconds = Field(60.0, description="The window in which crashes are counted.")
    restart_backoff_min_s: Seconds = Field(0.5, description="Pause before the first restart of a crashed actor.")
    restart_backoff_max_s: Seconds = Field(30.0, description="Longest pause before a restart.")
    cooldown_s: Seconds = Field(300.0, description="How long a session in crash_loop rests before it is tried again.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.restart_backoff_min_s > self.restart_backoff_max_s:
            raise ValueError("restart_backoff_min_s must not be above restart_backoff_max_s")
        return self


class LinkSettings(Section):
    reconnect_min_s: Seconds = Field(
        1.0, description="First pause before connecting again; doubled each time, jittered."
    )
    reconnect_max_s: Seconds = Field(300.0, description="Longest pause before connecting again.")
    stable_s: Seconds = Field(60.0, description="A connection that lasted this long resets the pause to the first.")
    connect_timeout_s: Seconds = Field(60.0, description="How long opening a connection may take.")
    probe_after_s: Seconds = Field(20.0, description="Silence after which the link is asked for a sign of life.")
    probe_timeout_s: Seconds = Field(10.0, description="How long the answer may take before the link counts as lost.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.reconnect_min_s > self.reconnect_max_s:
            raise ValueError("reconnect_min_s must not be above reconnect_max_s")
        return self


class OutboxSettings(Section):
    window: Count = Field(32, description="Messages of one session that may be dispatched and not yet acknowledged.")
    messages_per_second: float = Field(
        1.0, gt=0, le=10_000, description="Pace of one session's sends, kind to the account; not for the simulator."
    )
    burst: Count = Field(5, description="Messages that may go at once before the pace applies.")
    uploads: Count = Field(4, description="Messages with files of one session that may be on their way at once.")
    upload_bytes_per_second: Count = Field(
        50_000, description="The slowest upload that is waited for; a file that takes longer fails."
    )
    lookahead: Count = Field(
        2000, description="Messages of one session in memory while those before them are held back by a file."
    )
    ack_timeout_s: Seconds = Field(30.0, description="Without the server's acknowledgement by then: message.overdue.")
    max_age_s: Seconds = Field(86_400.0, description="A message queued longer than this fails as expired.")


class RecorderSettings(Section):
    queue_capacity: Count = Field(1024, description="Submissions that may wait for the recorder; then senders wait.")
    max_batch_rows: Count = Field(1000, description="Changes in one transaction at most.")
    held_messages: Count = Field(
        10_000, description="Sends on their way that the writer holds in memory, to read them no more at each step."
    )
    busy_timeout_ms: Annotated[int, Field(ge=0, le=1000)] = Field(
        1000, description="How long SQLite waits for a lock before the transaction is tried anew."
    )
    retry_max_s: Seconds = Field(2.0, description="Longest pause between tries while the store cannot be written.")
    stall_s: Seconds = Field(
        5.0,
        description="A writer that has not returned for this long is told by health as a failing store.",
    )
    hang_s: Seconds = Field(
        120.0, description="A writer that has not returned for this long no longer feeds the watchdog."
    )


class StoreSettings(Section):
    readers: Annotated[int, Field(ge=1, le=64)] = Field(4, description="Read-only connections, so queries at once.")
    query_timeout_s: Seconds = Field(10.0, description="A query that runs longer is ended and answered unavailable.")
    wal_checkpoint_pages: Count = Field(4000, description="Pages in the write-ahead log before they are moved back.")


class EventSettings(Section):
    ring: Count = Field(8192, description="Newest events kept in memory for subscribers that keep up.")
    page: Annotated[int, Field(ge=1, le=1000)] = Field(500, description="Events read at once for one that fell behind.")
    cursor_every: Count = Field(1000, description="Events a filter may hide before the subscriber is told the cursor.")


class RetentionSettings(Section):
    messages_days: Annotated[float, Field(ge=1, le=36_500)] | None = Field(
        None, description="How long messages are kept; none: until their session is deleted with purge."
    )
    media_days: Annotated[float, Field(ge=1, le=36_500)] | None = Field(
        None, description="How long files are kept after the newest message with them; none: as long as the messages."
    )
    unused_media_days: Annotated[float, Field(ge=0.01, le=3650)] = Field(
        1.0, description="How long a file is kept that no message speaks of; whoever uploads may take so long to send."
    )
    events_days: Annotated[float, Field(gt=0, le=3650)] = Field(30.0, description="How long the event log is kept.")
    audit_days: Annotated[float, Field(gt=0, le=36500)] = Field(365.0, description="How long it is kept who did what.")

    @model_validator(mode="after")
    def _messages_outlive_events(self) -> Self:
        if self.messages_days is not None and self.messages_days < self.events_days:
            raise ValueError("messages_days must not be below events_days: the event log speaks of messages")
        return self


class ControlSettings(Section):
    admin_group: str | None = Field(None, description="Members of this Unix group may do everything.")
    read_group: str | None = Field(None, description="Members may look, but change nothing and see no QR or token.")
    max_connections: Count = Field(256, description="Connections at once; one more is told so and closed.")
    max_in_flight: Count = Field(1024, description="Requests of one connection that may be unanswered; then it waits.")
    max_subscriptions: Count = Field(16, description="Event subscriptions of one connection.")


class HttpSettings(Section):
    enabled: bool = Field(True, description="Serve the API, metrics and health over HTTP.")
    bind: Annotated[str, AfterValidator(check_bind)] = Field(
        "127.0.0.1:8001", description="Address and port; loopback by default."
    )
    behind_proxy: bool = Field(
        False, description="Other machines may reach bind without TLS here: a proxy in front has the certificate."
    )
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = Field(
        None, description="Where the outside finds this server; for links that Pombal gives."
    )
    requests_per_minute: Count = Field(60_000, description="Requests of one token at once, and again each minute.")
    cors_origins: list[Origin] = Field([], max_length=100, description="Web pages of these origins may use the API.")
    tls_certificate: str | None = Field(
        None, description="The certificate (PEM, with its chain) to offer; with it HTTP is served over TLS only."
    )
    tls_key: str | None = Field(None, description="The certificate's private key (PEM, without a passphrase).")
    max_connections: Count = Field(2048, description="Connections at once; one more is told so (503) and closed.")
    header_timeout_s: Seconds = Field(
        10.0, description="How long a request's line and headers may take, and a TLS handshake."
    )
    header_max_bytes: Annotated[int, Field(ge=4096, le=1_048_576)] = Field(
        32_768, description="A request's line and headers together; more is refused (431)."
    )
    keep_alive_s: Seconds = Field(75.0, description="How long a connection may be idle between two requests.")
    body_timeout_s: Seconds = Field(30.0, description="How long a body may take, beside the time its size allows for.")
    body_bytes_per_second: Count = Field(
        16_384, description="A body that has arrived slower than this, body_timeout_s apart, is refused."
    )
    body_max_bytes: Count = Field(
        12_582_912, description="Largest body but for files by multipart (media.max_bytes); more is refused (413)."
    )
    bodies_max_bytes: Count = Field(
        134_217_728, description="Bodies in memory at once; a request beyond it is refused (503)."
    )
    write_timeout_s: Seconds = Field(
        30.0, description="How long a client may take nothing of its answer before it is cut off."
    )
    stream_timeout_s: Seconds = Field(
        300.0, description="The same for WebSockets and event streams, which cost little while they stand still."
    )
    heartbeat_s: Seconds = Field(
        15.0, description="How often a quiet stream shows life: a WebSocket by a ping, an event stream by a comment."
    )
    frame_max_bytes: Annotated[int, Field(ge=1024, le=67_108_864)] = Field(
        1_048_576, description="Largest frame a WebSocket client may send; a larger one closes it (1009)."
    )
    streams_per_token: Count = Field(
        200, description="WebSockets and event streams of one token at once; one more is refused (4429, or 429)."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        return self

    @model_validator(mode="after")
    def _not_in_the_clear(self) -> Self:
        """Sockets that were inherited are looked at when they are there (api/listening.py)."""
        bind = parse_bind(self.bind)
        if self.enabled and isinstance(bind, TcpBind) and not (is_loopback(bind.host) or self.may_be_reached):
            raise ValueError(f"{IN_THE_CLEAR.format(bind=self.bind)}; or bind to 127.0.0.1")
        return self

    @property
    def may_be_reached(self) -> bool:
        """By other machines, that is: tokens and messages are not in the clear on the way."""
        return self.behind_proxy or self.tls_certificate is not None


class AuthSettings(Section):
    secret_file: str | None = Field(None, description="The secret that HS256 tokens of others are signed with.")
    public_key_file: str | None = Field(
        None, description="The public key (PEM) of RS256 or EdDSA tokens, in place of a secret."
    )
    owner_claims: list[Claim] = Field(
        ["user_id", "sub"], min_length=1, max_length=8, description="The first of these that a token has is its owner."
    )
    role_claim: Claim = Field("role", description="The claim that makes an admin, where it is admin or true.")
    audience: str | None = Field(None, min_length=1, description="What a token's aud must be or hold.")
    issuer: str | None = Field(None, min_length=1, description="What a token's iss must be.")
    leeway_s: Annotated[float, Field(ge=0, le=3600)] = Field(30.0, description="How far clocks may be apart.")
    token_lifetime_s: Seconds = Field(7_776_000.0, description="How long tokens made by token.create live by default.")


class MetricsSettings(Section):
    per_session: bool = Field(False, description="Also export gauges labelled by session.")
    max_sessions: Count = Field(100, description="At most this many sessions get such labels.")


class MediaSettings(Section):
    max_bytes: Count = Field(104_857_600, description="Largest file, in bytes.")
    max_uploads: Count = Field(64, description="Unfinished uploads at once.")
    upload_timeout_s: Seconds = Field(600.0, description="An upload without a chunk for this long is dropped.")


class Lognormal(Section):
    """A delay that varies as real ones do: half of all below the median, 99 % below p99 (milliseconds)."""

    median: Milliseconds
    p99: Milliseconds

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.median <= self.p99:
            raise ValueError("median must be above 0 and not above p99")
        return self


Delay = Milliseconds | Lognormal


class SimulatorProfile(Section):
    """How one simulated account behaves; also accepted as a session's own `settings`."""

    seed: int = Field(1, description="The same seed and the same calls make the same network.")
    auto_scan_ms: Delay | None = Field(
        None, description="The phone scans the QR code by itself after this time; absent: simulator.scan does."
    )
    connect_ms: Delay = Field(50, description="Time to connect, and again to sync.")
    sent_ms: Delay = Field(20, description="Until the server acknowledges a send.")
    delivered_ms: Delay = Field(60, description="From there until the recipient's phone has it.")
    read_ms: Delay = Field(1000, description="From there until it is read, where it is read at all.")
    read_rate: Rate = Field(1.0, description="Share of messages that are read.")
    inbound_rate: Annotated[float, Field(ge=0, le=100_000)] = Field(0.0, description="Messages received a second.")
    contacts: Annotated[int, Field(ge=1, le=1_000_000)] = Field(20, description="People who write by themselves.")
    deduplicates: bool = Field(True, description="Whether the network drops a send repeated under one id.")
    drop_ack_rate: Rate = Field(0.0, description="Share of sends that the server never acknowledges.")
    duplicate_rate: Rate = Field(0.0, description="Share of inbound messages and receipts that come twice.")
    reorder_rate: Rate = Field(0.0, description="Share of receipts that overtake the one before.")
    fail_rate: Rate = Field(0.0, description="Share of sends that the server refuses.")
    disconnect_every_s: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Drop the connection so often; 0: never."
    )
    qr_timeout: bool = Field(False, description="Nobody scans: the QR codes run out at once.")
    qr_lifetime_ms: Milliseconds = Field(20_000, description="How long one QR code is good for.")
    qr_rounds: Count = Field(5, description="QR codes shown one after the other before pairing_timeout.")


class SimulatorSettings(SimulatorProfile):
    enabled: bool = Field(False, description="Allow sessions on the simulated network; health says when it is on.")
    durable: bool = Field(False, description="The network keeps its own side in <state>/simulator.db.")
    remembered_sends: Count = Field(200_000, description="Sends whose ids the network knows again.")


class SimulatorSessionSettings(SimulatorProfile):
    """A session's own `settings` on the simulator; pacing is off there unless given here."""

    messages_per_second: float | None = Field(None, gt=0, le=10_000)
    burst: Count | None = None


class WebProfile(Section):
    """How one session on WhatsApp Web connects; also accepted as a session's own `settings`."""

    proxy: Annotated[str, AfterValidator(check_proxy)] | None = Field(
        None, description="Connect to WhatsApp through this: http://[user:password@]host:port or socks5://…"
    )
    gateway_url: Annotated[str, AfterValidator(check_gateway_url)] | None = Field(
        None, description="Use the gateway at this address (wss://…) instead of starting one."
    )


class WebSettings(WebProfile):
    gateway_token_file: str | None = Field(None, description="The file with the token that gateway_url asks for.")
    gateway_command: list[str] = Field(
        [], description="What starts a gateway; empty: `pombal gateway web` of this installation."
    )
    sessions_per_process: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="Sessions that share a gateway process; one each costs memory and isolates best."
    )
    start_concurrency: Count = Field(4, description="Gateways that start at once; a start is work for the processor.")
    start_timeout_s: Seconds = Field(30.0, description="How long a gateway may take until it answers.")
    stop_timeout_s: Seconds = Field(5.0, description="How long a gateway may take to end before it is killed.")
    idle_stop_s: Seconds = Field(15.0, description="A gateway that has served no session for this long is stopped.")
    memory_max_bytes: Annotated[int, Field(ge=33_554_432)] = Field(
        536_870_912, description="A gateway process that takes more memory (RSS) is restarted."
    )
    descriptors_max: Count = Field(
        500, description="A gateway with so many file descriptors takes no more sessions, and is replaced when empty."
    )
    log_lines_per_s: Count = Field(50, description="What one gateway may say in our log; more is counted and dropped.")
    login_timeout_s: Seconds = Field(30.0, description="Paired but not connected for so long: the client is restarted.")
    qr_rounds: Annotated[int, Field(ge=1, le=100)] = Field(
        3, description="Series of QR codes shown before pairing_timeout."
    )
    ping_every_s: Seconds = Field(10.0, description="How often a gateway is asked whether it is there.")
    ping_timeout_s: Seconds = Field(10.0, description="How long it may take to say anything before the link is lost.")
    answer_timeout_s: Seconds = Field(30.0, description="How long a gateway may take to answer a command.")
    max_unacknowledged: Count = Field(1000, description="Events of one session that may be under way to the store.")
    transfer_timeout_s: Seconds = Field(60.0, description="A transfer of a file without progress for so long fails.")


class WebSessionSettings(WebProfile):
    """A session's own `settings` on WhatsApp Web."""

    messages_per_second: float | None = Field(None, gt=0, le=10_000)
    burst: Count | None = None


class Settings(Section):
    """The whole file."""

    daemon: DaemonSettings = DaemonSettings()
    log: LogSettings = LogSettings()
    latency: LatencySettings = LatencySettings()
    sessions: SessionSettings = SessionSettings()
    link: LinkSettings = LinkSettings()
    outbox: OutboxSettings = OutboxSettings()
    recorder: RecorderSettings = RecorderSettings()
    store: StoreSettings = StoreSettings()
    events: EventSettings = EventSettings()
    retention: RetentionSettings = RetentionSettings()
    control: ControlSettings = ControlSettings()
    http: HttpSettings = HttpSettings()
    auth: AuthSettings = AuthSettings()
    metrics: MetricsSettings = MetricsSettings()
    media: MediaSettings = MediaSettings()
    web: WebSettings = WebSettings()
    simulator: SimulatorSettings = SimulatorSettings()
