"""Pilots: power, orthogonality, length."""

import numpy as np
import pytest
from pydantic import ValidationError

from csisim.acquisition.pilots import PilotConfig, pilot_matrix, pilot_symbols

T, K = 16, 4


def matrix(seed=0, num_users=K, num_rf=T, **fields):
    return pilot_matrix(PilotConfig(**fields), num_rf, num_users, np.random.default_rng(seed))


def gram(x):
    return x @ x.conj().swapaxes(-1, -2)


@pytest.mark.parametrize("kind", ["dft", "orthogonal", "identical"])
@pytest.mark.parametrize("length", ["num_rf", 40, 80])
@pytest.mark.parametrize(("power", "share"), [("per_rf_chain", 1.0), ("per_column", 1 / T)])
def test_rows_are_orthogonal_and_carry_the_whole_power(kind, length, power, share):
    x = matrix(kind=kind, length=length, power=power)
    symbols = T if length == "num_rf" else length
    assert x.shape == (1, T, symbols)
    np.testing.assert_allclose(gram(x)[0], symbols * share * np.eye(T), atol=1e-11)


@pytest.mark.parametrize("kind", ["dft", "gaussian", "orthogonal"])
@pytest.mark.parametrize("access", ["broadcast", "tdma", "kang_eq4"])
@pytest.mark.parametrize("length", [8, 16, 40])
def test_every_symbol_of_every_user_has_the_stated_power(kind, access, length):
    column = np.sum(np.abs(matrix(kind=kind, access=access, length=length, power="per_column")) ** 2, axis=-2)
    chains = np.sum(np.abs(matrix(kind=kind, access=access, length=length)) ** 2, axis=-2)
    np.testing.assert_allclose(column, 1.0)
    np.testing.assert_allclose(chains, T)


def test_dft_pilots_have_constant_modulus():
    np.testing.assert_allclose(np.abs(matrix(length=40)), 1.0)


@pytest.mark.parametrize("kind", ["dft", "orthogonal"])
def test_users_of_eq_4_are_orthogonal_exactly_from_k_t_symbols_on(kind):
    def crosstalk(length):
        x = matrix(kind=kind, access="kang_eq4", length=length)
        return max(np.abs(x[u] @ x[k].conj().T).max() for u in range(K) for k in range(K) if u != k)

    assert crosstalk(K * T) < 1e-10
    assert crosstalk(90) < 1e-10
    assert crosstalk(K * T - 1) > 1.0


def test_eq_4_dft_pilots_of_minimal_length_alias_into_the_same_pilots():
    x = matrix(access="kang_eq4")
    np.testing.assert_allclose(x, np.broadcast_to(x[:1], x.shape), atol=1e-12)


def test_identical_pilots_of_eq_4_add_up_to_one_pilot_of_k_times_the_amplitude():
    together = matrix(kind="identical", access="kang_eq4")
    assert together.shape == (1, T, T)
    np.testing.assert_allclose(together, K * matrix(kind="dft"))


def test_only_distinct_pilots_have_a_user_axis():
    assert matrix(access="kang_eq4").shape == (K, T, T)
    assert matrix(access="tdma").shape == (1, T, T)


def test_time_division_takes_one_block_per_user():
    for access, symbols in {"broadcast": 20, "kang_eq4": 20, "tdma": 80}.items():
        assert pilot_symbols(PilotConfig(access=access, length=20), T, K) == symbols
    assert pilot_symbols(PilotConfig(access="tdma"), T, K) == T * K


@pytest.mark.parametrize("kind", ["gaussian", "orthogonal"])
def test_random_pilots_of_the_first_users_do_not_depend_on_how_many_follow(kind):
    few = matrix(kind=kind, access="kang_eq4", length=40, num_users=2)
    many = matrix(kind=kind, access="kang_eq4", length=40, num_users=4)
    np.testing.assert_array_equal(few, many[:2])


@pytest.mark.parametrize("length", [0, -3, "num_tx", 1.5])
def test_a_length_that_is_none_is_refused(length):
    with pytest.raises(ValidationError):
        PilotConfig(length=length)
