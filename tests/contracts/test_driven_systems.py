"""What every system promises that inputs drive, or whose energy has a balance; a new yaml is tested without an edit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from metastruct.config.schema import groups
from metastruct.data.simulate import integrate_driven, signals, simulate
from metastruct.data.tables.layout import Layout
from metastruct.running.assembly import component
from metastruct.systems.driven import Driven
from metastruct.systems.mechanism import Mechanism
from metastruct.systems.system import Array

TASKS, TRAJECTORIES = 3, 2
TIMES = np.linspace(0, 1, 21)


@pytest.fixture(params=groups()["system"], scope="module")
def system(request, composed) -> Driven:
    family = component(composed(f"system={request.param}").system)
    if not isinstance(family, Driven):
        pytest.skip(f"{family.name} has no ports")
    return family


@pytest.fixture(scope="module")
def driven(system: Driven) -> Driven:
    if not system.input_names:
        pytest.skip(f"nothing drives {system.name}")
    return system


def members(system: Driven) -> Array:
    generator = np.random.default_rng(0)
    return np.stack([system.sample_parameters(generator) for _ in range(TASKS)])


def somewhere(system: Driven, mu: Array) -> tuple[Array, Array]:
    """States and inputs `[tasks, points, n]`, velocities and all."""
    generator = np.random.default_rng(1)
    shape = len(mu), 8
    return generator.normal(size=(*shape, system.state_dim)), generator.normal(size=(*shape, len(system.input_names)))


def imbalance(system: Driven, x: Array, mu: Array, u: Array, field: Array, h: float = 1e-5) -> Array:
    """|dE/dt + dissipated - supplied| over the sizes of all terms, the energy along the field by differences."""
    axes = h * np.eye(x.shape[-1])
    slope = [(system.stored_energy(x + e, mu) - system.stored_energy(x - e, mu)) / (2 * h) for e in axes]
    parts, (dissipated, supplied) = np.stack(slope, -1) * field, system.powers(x, mu, u)
    return np.abs(parts.sum(-1) + dissipated - supplied) / (np.abs(parts).sum(-1) + dissipated + np.abs(supplied))


@pytest.mark.few(3)
def test_energy_changes_by_what_friction_takes_and_inputs_give(system):
    mu = members(system)
    x, u = somewhere(system, mu)
    assert imbalance(system, x, mu, u, system.driven_field(x, mu, u)).max() < 1e-7
    dissipated, supplied = system.powers(x, mu, u)
    assert (dissipated >= 0).all()
    assert bool(system.input_names) == bool(np.abs(supplied).max() > 1e-3)


@pytest.mark.few(6)
def test_it_does_not_without_the_coriolis_forces(system, monkeypatch):
    """The control, of mechanisms whose mass depends on the position."""
    mu = members(system)
    x, u = somewhere(system, mu)
    if not isinstance(system, Mechanism) or not system.coriolis(*np.split(x, 2, -1), mu).any():
        pytest.skip("has none")
    monkeypatch.setattr(type(system), "coriolis", Mechanism.coriolis)
    assert imbalance(system, x, mu, u, system.driven_field(x, mu, u)).max() > 1e-2


def test_velocities_are_those_of_the_positions(system):
    if not system.mechanical:
        pytest.skip(f"{system.name} is not in (q, v)")
    mu = members(system)
    x, u = somewhere(system, mu)
    field = system.driven_field(x, mu, u)
    np.testing.assert_array_equal(np.split(field, 2, -1)[0], np.split(x, 2, -1)[1])


def test_a_law_of_the_state_alone_is_that_without_input(system):
    mu = members(system)
    x, u = somewhere(system, mu)
    np.testing.assert_array_equal(system.vector_field(x, mu), system.driven_field(x, mu, 0 * u))


def test_names_are_columns_of_a_table_beside_those_of_derivatives(system):
    Layout.of(system.state_names, system.input_names)


def test_inputs_are_drawn_by_trajectory_and_seed(driven):
    many, few = (signals(driven, 0, tasks, trajectories, TIMES, 0) for tasks, trajectories in ((3, 4), (2, 1)))
    assert many.shape == (3, 4, len(TIMES), len(driven.input_names))
    np.testing.assert_array_equal(many[:2, :1], few)
    others = [many[:, 1:], *(signals(driven, split, 3, 3, TIMES, seed) for split, seed in ((1, 0), (0, 1)))]
    assert all(np.abs(many[:, :3] - other).max(axis=(1, 2, 3)).min() > 0.1 for other in others)


def test_simulated_members_are_those_of_scipy_from_instant_to_instant(driven):
    settings = {"horizon": 1.0, "points": 21, "tolerance": 1e-10, "seed": 0}
    simulation = simulate(driven, 0, tasks=2, trajectories=1, **settings)
    mu, u, x = simulation.parameters[1:], simulation.inputs[1, 0], simulation.states[1, 0]
    state = x[0]
    for i, (begin, end) in enumerate(zip(simulation.times[:-1], simulation.times[1:], strict=True)):

        def law(t: float, y: Array, i: int = i, begin: float = begin, end: float = end) -> Array:
            share = 0.0 if driven.held_inputs else (t - begin) / (end - begin)
            return driven.driven_field(y[None, None], mu, (u[i] + share * (u[i + 1] - u[i]))[None, None])[0, 0]

        state = solve_ivp(law, (begin, end), state, method="DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
        np.testing.assert_allclose(x[i + 1], state, atol=1e-7)
    member = simulation.members[1].trajectories[0]
    np.testing.assert_array_equal(member.inputs, u)
    np.testing.assert_allclose(member.derivatives, driven.driven_field(x[None], mu, u[None])[0], rtol=1e-12)


def test_inputs_that_are_read_in_another_way_are_another_motion(driven):
    settings = {"horizon": 1.0, "points": 21, "tolerance": 1e-8, "seed": 0}
    simulation = simulate(driven, 0, tasks=1, trajectories=1, **settings)
    starts, mu = simulation.states[:, :, 0], simulation.parameters
    silent = integrate_driven(driven, starts, mu, TIMES, 0 * simulation.inputs, 1e-8)
    assert np.abs(silent - simulation.states).max() > 1e-2


def test_small_angles_of_a_driven_pendulum_without_torque_are_those_of_the_linear_law(composed):
    system = component(composed("system=driven_pendulum").system)
    mu, start = members(system), 1e-4 * np.ones((TASKS, 1, 2))
    silent = np.zeros((TASKS, 1, len(TIMES), 1))
    path = integrate_driven(system, start, mu, TIMES, silent, 1e-14)
    exact = system.small(start, mu, TIMES)
    np.testing.assert_allclose(path, exact, atol=1e-11)
    wrong = system.small(start, mu * [1, 1, 2], TIMES)
    assert np.abs(path - wrong).max() > 1e-7


@pytest.mark.parametrize("name", ["spring_chain", "rlc_circuit"])
def test_linear_families_move_by_the_matrix_exponential(composed, name):
    system = component(composed(f"system={name}").system)
    mu, generator = members(system), np.random.default_rng(2)
    start = generator.normal(size=(TASKS, 1, system.state_dim))
    constant = np.ones((TASKS, 1, len(TIMES), 1))
    path = integrate_driven(system, start, mu, TIMES, constant, 1e-12)
    for task in range(TASKS):
        axes = np.eye(system.state_dim)[None]
        pull = system.driven_field(0 * axes[:, :1], mu[task : task + 1], np.ones((1, 1, 1)))[0, 0]
        matrix = system.vector_field(axes, mu[task : task + 1])[0].T
        rest = -np.linalg.solve(matrix, pull)
        exact = rest + expm(TIMES[-1] * matrix) @ (start[task, 0] - rest)
        np.testing.assert_allclose(path[task, 0, -1], exact, atol=1e-9)


def test_two_links_without_an_elbow_torque_are_the_double_pendulum_in_other_angles(composed):
    """Absolute angles are the shoulder's, and the shoulder's and elbow's together."""
    arm, pendulum = (component(composed(f"system={name}").system) for name in ("two_link_arm", "double_pendulum"))
    mu = members(pendulum)
    x, _ = somewhere(pendulum, mu)
    first, second, rate, other = np.moveaxis(x, -1, 0)
    relative = np.stack([first, second - first, rate, other - rate], -1)
    frictionless = np.concatenate([mu, np.zeros((TASKS, 1))], -1)
    field = arm.vector_field(relative, frictionless)
    expected = pendulum.vector_field(x, mu)
    np.testing.assert_allclose(field[..., 2], expected[..., 2], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(field[..., 2] + field[..., 3], expected[..., 3], rtol=1e-9, atol=1e-9)
