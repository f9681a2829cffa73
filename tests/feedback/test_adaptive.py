"""Rate adaptation: the finest rung that the budget allows, user by user."""

import numpy as np
import pytest
from pydantic import ValidationError

from csisim.feedback.exchange import Budget
from csisim.feedback.report import Report
from csisim.random import complex_normal
from csisim.registry import build, configure
from csisim.testing import check_codec

SHAPE = (2, 3, 1, 2, 4)
LADDER = [{"kind": "lloyd_max", "bits": bits} for bits in (1, 3, 6)]
LENGTHS = np.array([16 + 16 * bits + 2 for bits in (1, 3, 6)])


def make(ladder=LADDER):
    return build("codec", configure("codec", {"kind": "adaptive", "ladder": ladder}))


def channel():
    return complex_normal(np.random.default_rng(0), SHAPE, np.complex128)


def test_it_is_a_codec():
    check_codec(make())


def test_every_user_takes_the_longest_rung_it_can_afford():
    codec, h = make(), channel()
    state = codec.init(SHAPE, h.dtype)
    allowance = np.array([[10.0, LENGTHS[0], LENGTHS[1] - 1], [LENGTHS[1], LENGTHS[2], 1e6]])
    report, _ = codec.encode(h, codec.allow(allowance, state))
    np.testing.assert_array_equal(report.booked, LENGTHS[[[0, 0, 0], [1, 2, 2]]])
    value, _ = codec.decode(Report(report.payload.copy(), report.num_bits), state)
    error = np.sum(np.abs(value - h) ** 2, axis=(2, 3, 4)) / np.sum(np.abs(h) ** 2, axis=(2, 3, 4))
    assert error[0].min() > error[1, 0] > error[1, 1:].max()
    alone = build("codec", configure("codec", LADDER[1]))
    single, inner = alone.encode(h, alone.init(SHAPE, h.dtype))
    np.testing.assert_array_equal(value[1, 0], alone.decode(single, inner)[0][1, 0])


@pytest.mark.parametrize("ladder", [LADDER, LADDER[::-1]], ids=["up", "down"])
def test_without_a_budget_it_is_the_longest_rung(ladder):
    codec, h = make(ladder), channel()
    report, _ = codec.encode(h, codec.init(SHAPE, h.dtype))
    assert (report.booked == LENGTHS[2]).all()


def test_precoders_too():
    codec = make([{"kind": "type1"}, {"kind": "type2"}])
    h = complex_normal(np.random.default_rng(0), (2, 3, 1, 1, 8))
    assert codec.content == "precoder"
    state = codec.init(h.shape, h.dtype)
    report, _ = codec.encode(h, codec.allow(np.array([[0.0, 99, 99]] * 2), state))
    assert codec.decode(report, state)[0].shape == (2, 3, 1, 8, 1)
    assert report.booked[0, 0] < report.booked[0, 1]


@pytest.mark.parametrize(
    "ladder",
    [["lloyd_max"], ["ideal", "lloyd_max"], ["type1", "lloyd_max"], ["lloyd_max", {"kind": "differential", "inner": "lloyd_max"}],
     [{"kind": "type1", "rank": 1}, {"kind": "type2", "rank": 2}]],
)  # fmt: skip
def test_what_makes_no_ladder(ladder):
    with pytest.raises(ValidationError):
        make(ladder)


def test_a_budget_is_spent_evenly_and_never_exceeded():
    budget = Budget(100, 10, (2, 2))
    lengths = np.array([[30, 30], [10, 10]])
    sent = np.stack([budget.spend(lengths) for _ in range(10)])
    np.testing.assert_array_equal(np.flatnonzero(sent[:, 0, 0]), [0, 3, 6])  # a fourth would be 120
    assert sent[:, 1].all()
    assert (budget.spent == [[90, 90], [100, 100]]).all()
    budget.refill()
    assert budget.spend(lengths).all()


def test_what_is_left_is_shared_by_the_reports_to_come():
    budget = Budget(100, 4, (1, 1))
    assert budget.share == 25
    budget.spend(np.array([[10]]))
    assert budget.share == 30


def test_a_drops_users_send_together():
    """Beams are of use only when all users' reports through them are there, however long each is."""
    budget = Budget(100, 10, (1, 2))
    sent = np.concatenate([budget.spend(np.array([[30, 10]])) for _ in range(10)])
    np.testing.assert_array_equal(sent[:, 0], sent[:, 1])
    assert (budget.spent == [[90, 30]]).all()
