"""What every system of conf/system promises; a new yaml is tested without an edit here."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import minimize

from metastruct.config.schema import groups
from metastruct.data.simulate import integrate, simulate
from metastruct.evaluation.grid import evaluation_grid
from metastruct.running.assembly import component
from metastruct.systems.capability import CAPABILITIES
from metastruct.systems.system import Array, System


@pytest.fixture(params=groups()["system"], scope="module")
def system(request, composed) -> System:
    return component(composed(f"system={request.param}").system)


@pytest.fixture(scope="module")
def family(system: System) -> System:
    """One family, with ranges of its own."""
    if system.families > 1:
        pytest.skip(f"{system.name} is several families")
    return system


@pytest.fixture(scope="module")
def conservative(system: System) -> System:
    if system.structure != "conservative":
        pytest.skip(f"{system.name} is {system.structure}")
    return system


@pytest.fixture(scope="module")
def canonical(conservative: System) -> System:
    if not conservative.canonical:
        pytest.skip(f"{conservative.name} is not in coordinates (q, p)")
    return conservative


@pytest.fixture(scope="module")
def metriplectic(system: System) -> System:
    if system.structure != "metriplectic":
        pytest.skip(f"{system.name} is {system.structure}")
    return system


@pytest.fixture(scope="module")
def capped(family: System) -> System:
    if not family.gives("energy_cap"):
        pytest.skip(f"{family.name} has no energy cap")
    return family


def members(system: System, count: int = 6, seed: int = 0) -> Array:
    """Parameters `[tasks, parameters]`: both corners of the ranges and random members."""
    generator = np.random.default_rng(seed)
    return np.stack([*system.corners(), *(system.sample_parameters(generator) for _ in range(count - 2))])


def starts(system: System, mu: Array, count: int = 8, seed: int = 1) -> Array:
    generator = np.random.default_rng(seed)
    return np.stack([system.sample_starts(generator, member, count) for member in mu])


def gradient(law, x: Array, mu: Array, h: float = 1e-5) -> Array:
    shifts = h * np.eye(x.shape[-1])
    return np.stack([(law(x + s, mu) - law(x - s, mu)) / (2 * h) for s in shifts], axis=-1)


def along(matrix: Array, vector: Array) -> Array:
    return (matrix @ vector[..., None])[..., 0]


def visited(system: System, mu: Array, horizon: float = 2.0) -> Array:
    """States `[tasks, points, state]` along trajectories, so that no component stays at its start."""
    paths = integrate(system, starts(system, mu), mu, np.linspace(0, horizon, 5), 1e-10)
    return paths.reshape(len(mu), -1, system.state_dim)


def relative_drift(system: System, mu: Array, x0: Array, horizon: float) -> Array:
    """Largest change of energy along trajectories over its spread among their starts, `[tasks]`."""
    paths = integrate(system, x0, mu, np.linspace(0, horizon, 50), 1e-10)
    energy = system.energy(paths.reshape(len(mu), -1, system.state_dim), mu).reshape(paths.shape[:-1])
    return np.abs(energy - energy[..., :1]).max(axis=(1, 2)) / np.ptp(energy[..., 0], axis=1)


def least_energy(system: System, member: Array, x: Array, free: Sequence[int]) -> tuple[float, Array]:
    """The least energy near a state `[state]` when only the free components may move, and the state that has it."""

    def moved(values: Array) -> Array:
        state = x.copy()
        state[list(free)] = values
        return state

    lowest = minimize(
        lambda values: system.energy(moved(values)[None, None], member)[0, 0], x[list(free)], method="BFGS"
    )
    return lowest.fun, moved(lowest.x)


def reached(system: System, mu: Array, axis: int, free: Sequence[int]) -> Array:
    """How far a component can go under the energy cap, `[tasks, 2]`, the other free ones being where energy is least.

    Components that are not free stay at the centre of the system's box. The walk begins at a start and follows the
    least energy in steps that are small enough not to leave a well, so that neither the size of the box nor the number
    of dimensions matters.
    """
    others, result = [other for other in free if other != axis], np.empty((len(mu), 2))
    for task, member in enumerate(mu[:, None]):
        cap, (box,), (start,) = system.energy_cap(member)[0], system.box(member), starts(system, member, 1)[0]
        centre, step = box.mean(-1), np.ptp(box[axis]) / 40
        for side, sign in enumerate((-1, 1)):
            x, stride = np.where(np.isin(range(len(centre)), free), start, centre), step
            while stride > 1e-5 * step and abs(x[axis] - centre[axis]) < 100 * step:
                further = x.copy()
                further[axis] += sign * stride
                energy, further = least_energy(system, member, further, others)
                x, stride = (further, stride) if energy <= cap else (x, stride / 2)
            result[task, side] = x[axis]
    return result


def test_it_declares_what_it_is(system):
    assert system.structure in ("conservative", "metriplectic", "general")
    assert isinstance(system.canonical, bool)
    assert system.state_dim == len(set(system.state_names))
    assert len(system.ranges) == len(set(system.parameter_names))


def test_it_gives_what_its_structure_needs_and_no_more(system):
    assert system.gives("energy") == (system.structure in ("conservative", "metriplectic"))
    for capability in ("entropy", "poisson", "friction"):
        assert system.gives(capability) == (system.structure == "metriplectic")
    assert system.gives("energy_cap") == system.gives("cap_box")
    assert system.gives("energy") or not system.gives("energy_cap")


def test_it_says_in_one_line_what_it_does_not_give(system):
    mu = members(system)
    x = starts(system, mu)
    for name, capability in CAPABILITIES.items():
        if not system.gives(name):
            with pytest.raises(TypeError, match=f"{system.name} is {system.structure} and gives no .*; ask") as refused:
                getattr(system, name)(*((x, mu) if capability.of_law else (mu,)))
            assert "\n" not in str(refused.value)


def test_it_provides_what_it_gives(system):
    provided = system.provides
    assert {name: provided[name] for name in CAPABILITIES} == {name: system.gives(name) for name in CAPABILITIES}
    assert provided["law"]
    assert provided["structure"] == system.structure


def test_every_method_that_a_system_may_lack_is_a_capability():
    """That of which the base class says that a family has none."""
    methods = inspect.getmembers(System, inspect.isfunction)
    lacking = {name for name, method in methods if "raise self._lacks(" in inspect.getsource(method)}
    assert lacking == set(CAPABILITIES)


def test_canonical_coordinates_come_in_pairs(canonical):
    assert canonical.state_dim % 2 == 0


def test_sampled_parameters_fill_their_ranges_and_stay_inside(family):
    generator = np.random.default_rng(0)
    drawn = np.stack([family.sample_parameters(generator) for _ in range(2000)])
    low, high = family.ranges.T
    assert (drawn >= low).all()
    assert (drawn <= high).all()
    assert (drawn.min(0) <= low + 0.01 * (high - low)).all()
    assert (drawn.max(0) >= high - 0.01 * (high - low)).all()
    np.testing.assert_allclose(drawn.mean(0), (low + high) / 2, atol=0.03 * (high - low).max())


def test_parameters_that_it_does_not_have_are_refused_by_name(family):
    ranges = dict(zip(family.parameter_names, family.ranges.tolist(), strict=True))
    first, *_ = family.parameter_names
    with pytest.raises(ValueError, match="nonsense"):
        type(family)(ranges | {"nonsense": [0, 1]})
    with pytest.raises(ValueError, match=first):
        type(family)({name: ends for name, ends in ranges.items() if name != first})
    with pytest.raises(ValueError, match="low <= high"):
        type(family)(ranges | {first: [2, 1]})


def test_vector_field_follows_from_the_energy_by_hamiltons_equations(canonical):
    mu = members(canonical)
    x = starts(canonical, mu)
    dq, dp = np.split(gradient(canonical.energy, x, mu), 2, axis=-1)
    field = canonical.vector_field(x, mu)
    np.testing.assert_allclose(field, np.concatenate([dp, -dq], axis=-1), atol=1e-8 * np.abs(field).max())


@pytest.mark.few(3)
def test_energy_is_constant_along_the_simulated_flow(conservative):
    mu = members(conservative)
    assert relative_drift(conservative, mu, starts(conservative, mu), horizon=10.0).max() < 1e-8


@pytest.mark.parametrize("half", [0, 1], ids=["dq", "dp"])
def test_energy_is_not_constant_when_a_sign_of_the_field_is_wrong(canonical, half):
    wrong = copy.copy(canonical)
    signs = np.repeat([-1.0, 1.0] if half == 0 else [1.0, -1.0], canonical.state_dim // 2)
    wrong.vector_field = lambda x, mu: signs * canonical.vector_field(x, mu)
    mu = members(canonical)
    assert relative_drift(wrong, mu, starts(canonical, mu), horizon=0.2).min() > 1e-2


def test_vector_field_is_poisson_times_energy_gradient_plus_friction_times_entropy_gradient(metriplectic):
    mu = members(metriplectic)
    x = visited(metriplectic, mu)
    by_energy, by_entropy = gradient(metriplectic.energy, x, mu), gradient(metriplectic.entropy, x, mu)
    made = along(metriplectic.poisson(x, mu), by_energy) + along(metriplectic.friction(x, mu), by_entropy)
    field = metriplectic.vector_field(x, mu)
    assert (np.abs(field).max(axis=(0, 1)) > 1e-2).all()
    np.testing.assert_allclose(made, field, atol=1e-8 * np.abs(field).max())


def test_poisson_is_skew_and_friction_is_symmetric_and_nowhere_negative(metriplectic):
    mu = members(metriplectic)
    x = visited(metriplectic, mu)
    poisson, friction = metriplectic.poisson(x, mu), metriplectic.friction(x, mu)
    assert poisson.shape == friction.shape == (*x.shape, x.shape[-1])
    np.testing.assert_array_equal(poisson, -np.swapaxes(poisson, -1, -2))
    np.testing.assert_array_equal(friction, np.swapaxes(friction, -1, -2))
    values = np.linalg.eigvalsh(friction)
    assert values.max() > 1e-2
    assert values.min() > -1e-14 * values.max()


def test_both_degeneracies_hold(metriplectic):
    mu = members(metriplectic)
    x = visited(metriplectic, mu)
    poisson, friction = metriplectic.poisson(x, mu), metriplectic.friction(x, mu)
    assert np.abs(along(poisson, gradient(metriplectic.entropy, x, mu))).max() < 1e-8
    assert np.abs(along(friction, gradient(metriplectic.energy, x, mu))).max() < 1e-8
    assert np.abs(along(poisson, gradient(metriplectic.energy, x, mu))).max() > 1e-2
    assert np.abs(along(friction, gradient(metriplectic.entropy, x, mu))).max() > 1e-2


def test_energy_is_kept_and_entropy_never_falls_along_the_simulated_flow(metriplectic):
    mu = members(metriplectic)
    paths = integrate(metriplectic, starts(metriplectic, mu), mu, np.linspace(0, 10, 100), 1e-11)
    flat = paths.reshape(len(mu), -1, metriplectic.state_dim)
    energy, entropy = (law(flat, mu).reshape(paths.shape[:-1]) for law in (metriplectic.energy, metriplectic.entropy))
    assert (np.abs(energy - energy[..., :1]).max(axis=(1, 2)) < 1e-8 * np.ptp(energy, axis=(1, 2))).all()
    assert np.diff(entropy, axis=-1).min() > -1e-9
    assert (entropy[..., -1] - entropy[..., 0]).min() > 1e-3


def test_the_grid_varies_the_named_components_of_a_metriplectic_system(metriplectic):
    mu = members(metriplectic)
    grid = evaluation_grid(metriplectic, mu, 11, 1.0)
    first, second = metriplectic.grid_axes
    assert [metriplectic.state_names[axis][0] for axis in (first, second)] == ["q", "p"]
    assert not np.ptp(grid[..., first], axis=2).any()
    assert not np.ptp(grid[..., second], axis=1).any()
    assert (np.ptp(grid[..., [first, second]], axis=(1, 2)) > 0.1).all()
    flat = grid.reshape(len(mu), -1, metriplectic.state_dim)
    assert np.isfinite(metriplectic.vector_field(flat, mu)).all()


def test_starts_lie_in_the_box(system):
    mu = members(system)
    x = starts(system, mu, count=200)
    low, high = np.moveaxis(system.box(mu), -1, 0)
    assert x.shape == (len(mu), 200, system.state_dim)
    assert (x >= low[:, None]).all()
    assert (x <= high[:, None]).all()


@pytest.mark.few(5)
def test_starts_without_a_cap_fill_their_box(system):
    if system.gives("energy_cap"):
        pytest.skip(f"{system.name} has a cap")
    mu = members(system, count=3)
    x, box = starts(system, mu, count=4000), system.box(mu)
    width = np.diff(box, axis=-1)[..., 0]
    assert (x.min(axis=1) - box[..., 0] <= 0.05 * width).all()
    assert (box[..., 1] - x.max(axis=1) <= 0.05 * width).all()


def test_starts_lie_under_the_energy_cap_and_reach_it(capped):
    mu = members(capped)
    energy = capped.energy(starts(capped, mu, count=2000), mu)
    cap = capped.energy_cap(mu)
    assert (energy <= cap[:, None]).all()
    assert (energy.max(axis=1) > cap - 0.02 * (cap - energy.min(axis=1))).all()


def moments(sample: Array, reference: Array) -> Array:
    """Mean and mean square of each component that varies, in units of the spread of a reference that has (0, 1)."""
    free = np.ptp(reference, axis=0) > 0
    unit = ((sample - reference.mean(0)) / np.where(free, reference.std(0), 1.0))[:, free]
    return np.stack([unit.mean(0), (unit**2).mean(0)])


def under_cap(system: System, mu: Array, scale: float, count: int = 400_000) -> Array:
    """Points that are uniform in what is under the cap of one member, of a box that is so much larger than its own."""
    box = system.box(mu[None])
    centre, half = box.mean(-1), scale * np.diff(box, axis=-1)[..., 0] / 2
    points = centre + half * np.random.default_rng(3).uniform(-1, 1, size=(1, count, system.state_dim))
    return points[system.energy(points, mu[None]) <= system.energy_cap(mu[None])[:, None]]


@pytest.mark.few(3)
def test_starts_are_uniform_under_the_energy_cap(capped):
    mu = members(capped, count=3)
    for sample, member in zip(starts(capped, mu, count=4000), mu, strict=True):
        uniform = under_cap(capped, member, scale=1.2)
        assert len(uniform) > 10_000
        mean, square = moments(sample, uniform)
        assert np.abs(mean).max() < 0.08
        assert np.abs(square - 1).max() < 0.08


def test_starts_that_avoid_the_energy_cap_are_seen_not_to_be_uniform(capped):
    (mu,) = members(capped, count=3)[2:]
    (sample,) = starts(capped, mu[None], count=4000)
    lower = sample[np.argsort(capped.energy(sample[None], mu[None])[0])][:2000]
    _, square = moments(lower, under_cap(capped, mu, scale=1.2))
    assert np.abs(square - 1).max() > 0.08


def varied(system: System) -> list[int]:
    """The components in which starts differ."""
    return np.flatnonzero(np.diff(system.box(members(system)), axis=-1)[..., 0].max(0)).tolist()


def holds(box: Array, extent: Array) -> bool:
    """Does a box `[tasks, 2]` of one component hold what is reached in it?"""
    beyond = (box - extent) * [1, -1]
    return bool((beyond < 1e-4 * np.diff(extent)).all())


@pytest.mark.few(3)
def test_the_box_holds_every_state_under_the_energy_cap(capped):
    mu, free = members(capped, count=4), varied(capped)
    for axis in free:
        assert holds(capped.box(mu)[:, axis], reached(capped, mu, axis, free))


@pytest.mark.few(6)
@pytest.mark.parametrize("side", [0, 1], ids=["low", "high"])
def test_a_box_that_is_too_small_in_one_component_is_seen(capped, side):
    free = varied(capped)
    (mu,) = members(capped, count=3)[2:, None]
    for axis in free:
        small, extent = copy.copy(capped), reached(capped, mu, axis, free)
        box = capped.cap_box(mu)
        box[:, axis, side] = extent[:, side] + 0.03 * np.diff(extent)[:, 0] * (1, -1)[side]
        small.cap_box = lambda mu, box=box: box
        assert not holds(small.box(mu)[:, axis], reached(small, mu, axis, free))


def test_the_evaluation_box_is_tight_in_the_plane_of_the_grid(capped):
    mu = members(capped, count=4)
    for axis in capped.grid_axes:
        extent = reached(capped, mu, axis, capped.grid_axes)
        assert (np.abs(capped.grid_box(mu)[:, axis] - extent) < 1e-3 * np.diff(extent)).all()


def test_simulation_agrees_with_the_exact_solution(system):
    if not hasattr(system, "solution"):
        pytest.skip(f"{system.name} has no closed form")
    mu = members(system, count=10)
    x0 = starts(system, mu, count=10)
    times = np.linspace(0, 10, 60)
    exact = system.solution(x0, mu, times)
    np.testing.assert_allclose(exact[:, :, 0], x0, atol=1e-8)
    np.testing.assert_allclose(integrate(system, x0, mu, times, 1e-12), exact, atol=1e-8)


def test_members_do_not_depend_on_their_batch_mates(system):
    mu = members(system)
    x = starts(system, mu)
    laws = [getattr(system, name) for name in ("energy", "entropy", "poisson", "friction") if system.gives(name)]
    for law in (system.vector_field, *laws):
        alone = np.concatenate([law(x[k : k + 1], mu[k : k + 1]) for k in range(len(mu))])
        np.testing.assert_allclose(law(x, mu), alone, rtol=1e-13, atol=1e-13)
    capped = (system.energy_cap, system.cap_box) if system.gives("energy_cap") else ()
    for size in (system.box, system.grid_box, *capped):
        alone = np.concatenate([size(mu[k : k + 1]) for k in range(len(mu))])
        np.testing.assert_allclose(size(mu), alone, rtol=1e-13, atol=1e-13)


@pytest.mark.few(2)
def test_trajectories_do_not_depend_on_the_other_tasks_of_a_simulation(system):
    settings = {"trajectories": 2, "horizon": 5.0, "points": 20, "tolerance": 1e-10, "seed": 0}
    many, few = (simulate(system, 0, tasks=tasks, **settings) for tasks in (4, 1))
    np.testing.assert_array_equal(many.parameters[:1], few.parameters)
    np.testing.assert_array_equal(many.states[:1, :, 0], few.states[:, :, 0])
    np.testing.assert_allclose(many.states[:1], few.states, atol=1e-7)
