import re
from statistics import fmean, quantiles

import pytest

from pombal.config.settings import Lognormal, SimulatorProfile
from pombal.link.simulator.behaviour import (
    Dice,
    draw_ms,
    gap_s,
    message_id,
    pairing_code,
    plan_kept_receipts,
    plan_sent,
    qr_code,
)
from pombal.model.message import MessageStatus

SENT, DELIVERED, READ = MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ


def profile(**settings: object) -> SimulatorProfile:
    return SimulatorProfile.model_validate({"sent_ms": 20, "delivered_ms": 60, "read_ms": 1000} | settings)


def test_the_same_seed_throws_the_same() -> None:
    throws = [
        [dice.bits() for _ in range(5)] for dice in (Dice(1, "ana"), Dice(1, "ana"), Dice(2, "ana"), Dice(1, "b"))
    ]
    assert throws[0] == throws[1]
    assert len({tuple(each) for each in throws}) == 3


def test_dice_are_fair() -> None:
    dice = Dice("fair")
    shares = [dice.share() for _ in range(20_000)]
    assert min(shares) > 0
    assert max(shares) < 1
    assert fmean(shares) == pytest.approx(0.5, abs=0.01)
    assert [sum(1 for share in shares if share < tenth / 10) for tenth in (1, 5, 9)] == [
        pytest.approx(tenth * 2000, rel=0.05) for tenth in (1, 5, 9)
    ]
    assert {dice.below(3) for _ in range(100)} == {0, 1, 2}


def test_a_number_is_always_the_same_delay() -> None:
    assert [draw_ms(25.0, Dice(1)) for _ in range(3)] == [25.0, 25.0, 25.0]


def test_a_lognormal_has_its_median_and_its_99th_percentile() -> None:
    dice = Dice("delays")
    cuts = quantiles([draw_ms(Lognormal(median=100, p99=900), dice) for _ in range(40_000)], n=100)
    assert cuts[49] == pytest.approx(100, rel=0.03)
    assert cuts[98] == pytest.approx(900, rel=0.06)


def test_gaps_of_a_poisson_process() -> None:
    dice = Dice("gaps")
    gaps = [gap_s(4.0, dice) for _ in range(20_000)]
    assert fmean(gaps) == pytest.approx(0.25, rel=0.03)
    assert fmean([gap > 0.25 for gap in gaps]) == pytest.approx(0.368, rel=0.05)


def test_the_plain_life_of_a_send() -> None:
    assert plan_sent(profile(), Dice(1)) == [(20, SENT), (80, DELIVERED), (1080, READ)]
    assert plan_sent(profile(read_rate=0), Dice(1)) == [(20, SENT), (80, DELIVERED)]
    assert plan_kept_receipts(profile(), Dice(1)) == [(60, DELIVERED), (1060, READ)]


def test_read_rate_is_a_share() -> None:
    dice, half = Dice("reads"), profile(read_rate=0.5)
    reads = [any(status == READ for _, status in plan_sent(half, dice)) for _ in range(4000)]
    assert fmean(reads) == pytest.approx(0.5, abs=0.03)


def test_receipts_overtake() -> None:
    steps = plan_sent(profile(reorder_rate=1, read_rate=1), Dice(1))
    assert steps == [(20, DELIVERED), (80, READ), (1080, SENT)]


def test_receipts_come_twice_but_the_servers_answer_does_not() -> None:
    statuses = [status for _, status in plan_sent(profile(duplicate_rate=1), Dice(1))]
    assert statuses == [SENT, DELIVERED, DELIVERED, READ, READ]


def test_codes_and_ids_look_like_whatsapps() -> None:
    dice = Dice("codes")
    assert re.fullmatch(r"2@[A-Za-z0-9+/=]{88}(,[A-Za-z0-9+/]{43}=){3}", qr_code(dice))
    assert re.fullmatch(r"[1-9A-HJ-NP-TV-Z]{4}-[1-9A-HJ-NP-TV-Z]{4}", pairing_code(dice).replace("U", "?"))
    assert re.fullmatch(r"3EB0[0-9A-F]{18}", message_id(1, "ana", 7))
    assert len({message_id(1, "ana", number) for number in range(1000)}) == 1000
