"""Ranks of families whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from omegaconf import OmegaConf

from metastruct.config.facts import CONF
from metastruct.running.assembly import component
from metastruct.systems.local_rank import affine_dimension, local_ranks, numerical_rank, parameter_jacobian

MEMBERS = 60


def family(name: str, **ranges):
    cfg = OmegaConf.load(CONF / "system" / f"{name}.yaml")
    system = component(OmegaConf.merge(cfg, {"parameters": ranges}))
    generator = np.random.default_rng(0)
    mu = np.stack([system.sample_parameters(generator) for _ in range(MEMBERS)])
    x = np.concatenate([system.sample_starts(generator, member, 2) for member in mu])
    return system, np.broadcast_to(x, (MEMBERS, *x.shape)), mu


# f is affine in (1/m, k, k q0), in (1/(m l^2), m l cos q0, m l sin q0), in (alpha, beta)
@pytest.mark.parametrize(("name", "dimension"), [("mass_spring", 3), ("pendulum", 3), ("duffing", 2)])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-10])
def test_affine_dimension_is_the_number_of_functions_that_the_law_is_affine_in(name, dimension, tolerance):
    system, x, mu = family(name)
    assert affine_dimension(system.vector_field(x, mu), tolerance) == dimension


def test_affine_dimension_of_morse_grows_as_one_looks_closer():
    system, x, mu = family("morse")
    fields = system.vector_field(x, mu)
    dimensions = [affine_dimension(fields, tolerance) for tolerance in (1e-2, 1e-4, 1e-8)]
    assert dimensions[0] > 2
    assert dimensions[1] > dimensions[0]
    assert dimensions[2] > dimensions[1] + 2


@pytest.mark.parametrize("name", ["mass_spring", "pendulum", "duffing", "morse"])
def test_local_rank_over_many_states_is_the_number_of_parameters(name):
    system, x, mu = family(name)
    at_a_state, of_a_member = local_ranks(system, x, mu, 1e-6)
    assert (of_a_member == len(system.parameter_names)).all()
    assert at_a_state.max() <= system.state_dim


def test_a_parameter_that_does_not_vary_counts_for_nothing():
    system, x, mu = family("mass_spring", q0=[0.2, 0.2])
    assert affine_dimension(system.vector_field(x, mu), 1e-8) == 2
    assert (local_ranks(system, x, mu, 1e-6)[1] == 2).all()


def test_parameter_jacobian_agrees_with_the_formula_of_the_mass_spring():
    system, x, mu = family("mass_spring")
    m, k, q0 = (column[:, None] for column in mu.T)
    q, p = x[..., 0], x[..., 1]
    zero = 0 * q
    formula = np.stack([np.stack([-p / m**2, zero, zero], -1), np.stack([zero, q0 - q, k + zero], -1)], axis=-2)
    widths = system.ranges[:, 1] - system.ranges[:, 0]
    np.testing.assert_allclose(parameter_jacobian(system, x, mu), formula * widths, rtol=1e-5, atol=1e-7)


def test_numerical_rank_counts_what_is_above_the_tolerance():
    matrices = np.stack([np.diag([1.0, 1e-3, 1e-9]), np.diag([1e-9, 1e-9, 0.0])])
    assert numerical_rank(matrices, 1e-2).tolist() == [1, 2]
    assert numerical_rank(matrices, 1e-6).tolist() == [2, 2]
