"""How an account gets online: QR codes that rotate, a phone that scans, logging in, syncing."""

from functools import partial
from typing import Protocol

from pombal.link.base import Ended, EndKind, PairCode, Qr, Restricted
from pombal.link.simulator import behaviour
from pombal.link.simulator.account import Account
from pombal.link.simulator.engine import Engine
from pombal.link.simulator.link import Phase, SimulatedLink
from pombal.model.errors import Kind, PombalError
from pombal.model.phone import parse_number, with_ninth_digit


class PairingHooks(Protocol):
    """What the network does when an account's pairing changes."""

    def paired(self, account: Account) -> None: ...
    def online(self, link: SimulatedLink) -> None: ...


class Pairing:
    """The way of each connection from its opening to ready, driven by the engine's timers."""

    def __init__(self, engine: Engine, hooks: PairingHooks) -> None:
        self._engine = engine
        self._hooks = hooks

    def begin(self, link: SimulatedLink) -> None:
        """The connection has just been opened."""
        account = link.account
        link.enter(Phase.PAIRING)
        if account.fated is not None:
            fated, account.fated = account.fated, None
            link.end(fated)
        elif account.is_paired:
            self._log_in(link)
        else:
            self._show_codes(link)

    def scan(self, link: SimulatedLink) -> None:
        """The phone has scanned the QR code, or its owner has typed the pairing code."""
        account = link.account
        account.number = link.pairing_number or link.context.phone_number or account.number
        account.is_paired = True
        self._hooks.paired(account)
        self._log_in(link)

    def pair_code(self, link: SimulatedLink, phone_number: str) -> PairCode:
        """A code for the phone with this number, good as long as QR codes are shown. Raises PombalError."""
        if not link.is_pairing:
            raise PombalError(Kind.NOT_READY, "a pairing code is to be had only while QR codes are shown")
        link.pairing_number = with_ninth_digit(parse_number(phone_number))
        return PairCode(behaviour.pairing_code(link.account.dice("pairing")), link.pairing_ends_at_ms)

    def _show_codes(self, link: SimulatedLink) -> None:
        profile = link.account.profile
        link.pairing_ends_at_ms = self._host_ms(profile.qr_lifetime_ms * profile.qr_rounds)
        self._show_code(link)
        if profile.qr_timeout:
            self._time_out(link)
        elif profile.auto_scan_ms is not None:
            delay_ms = link.account.delay_ms(profile.auto_scan_ms, "scan")
            link.timers.append(self._engine.after_ms(delay_ms, partial(self.scan, link)))

    def _show_code(self, link: SimulatedLink) -> None:
        profile = link.account.profile
        if link.qr_round == profile.qr_rounds:
            self._time_out(link)
            return
        link.qr_round += 1
        code = behaviour.qr_code(link.account.dice("pairing"))
        link.tell(Qr(code, self._host_ms(profile.qr_lifetime_ms)))
        # The round's timer lies first, so that the spent one of the round before can be taken out.
        if link.qr_round > 1:
            link.timers.pop(0)
        link.timers.insert(0, self._engine.after_ms(profile.qr_lifetime_ms, partial(self._show_code, link)))

    def _time_out(self, link: SimulatedLink) -> None:
        link.end(Ended(EndKind.PAIRING_TIMEOUT, "nobody scanned the QR code"))

    def _log_in(self, link: SimulatedLink) -> None:
        link.authenticated()
        delay_ms = link.account.delay_ms(link.account.profile.connect_ms, "connect")
        link.timers.append(self._engine.after_ms(delay_ms, partial(self._ready, link)))

    def _ready(self, link: SimulatedLink) -> None:
        account = link.account
        link.ready()
        if account.is_restricted:
            link.tell(Restricted(account.restricted_until_ms))
        if account.profile.disconnect_every_s:
            delay_ms = account.profile.disconnect_every_s * 1000
            drop = partial(link.lose, "the simulator drops the connection every so often")
            link.timers.append(self._engine.after_ms(delay_ms, drop))
        self._hooks.online(link)

    def _host_ms(self, from_now_ms: float) -> int:
        """Deadlines are told by the host's clock, as a real client computes them from 'in 20 seconds'."""
        return self._engine.clock().wall_ms + round(from_now_ms)
