"""Fields on a grid: the truth against solutions of the continuum, and laws of energies that are sums over sites."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from metastruct.data.simulate import integrate
from metastruct.dynamics.dynamics import Scales
from metastruct.dynamics.variational import Variational
from metastruct.evaluation.metrics.tenfold_error import TenfoldError
from metastruct.nets.lattice import Lattice
from metastruct.nets.mlp import MLP
from metastruct.systems.allen_cahn import AllenCahn
from metastruct.systems.cahn_hilliard import CahnHilliard
from metastruct.systems.kdv import KdV
from metastruct.systems.phi4 import Phi4
from metastruct.systems.sine_gordon import SineGordon

GRIDS = {
    "ring": {"components": 2, "spacing": 0.5},
    "line": {"components": 1, "ends": "fixed", "reach": 2, "terms": "together"},
    "torus": {"components": 2, "shape": [3, 4], "reach": 2, "terms": "together"},
    "plate": {"components": 1, "shape": [4, 6], "ends": "fixed"},
}
SIZE = 24


def fixed(system: type, sites: int, length: float, **values: float):
    return system({name: [value, value] for name, value in values.items()}, sites, length / sites)


def sech(x):
    return 1 / np.cosh(x)


def kink_of_phi4(sites: int) -> tuple:
    """A kink and a mirrored one, half the ring apart, both moving to the right."""
    system, v = fixed(Phi4, sites, 40.0, c=1.0, w=1.0), 0.4
    g = math.sqrt(1 / (2 * (1 - v * v)))

    def exact(t):
        first, second = g * (system.places - 10 - v * t), g * (system.places - 30 - v * t)
        q = np.tanh(first) - np.tanh(second) - 1
        return np.concatenate([q, -v * g * (sech(first) ** 2 - sech(second) ** 2)])

    return system, exact, (0.0, 4.0)


def collision_of_sine_gordon(sites: int) -> tuple:
    """A kink and its mirror image go through each other."""
    c, w, v = 1.2, 0.8, 0.5
    system, g = fixed(SineGordon, sites, 40.0, c=c, w=w), math.sqrt(w / (c - v * v))
    x = system.places - 20

    def exact(t):
        ratio = math.sqrt(c) / v
        z = ratio * np.sinh(g * v * t) / np.cosh(g * x)
        return np.concatenate([4 * np.arctan(z), 4 / (1 + z * z) * ratio * g * v * np.cosh(g * v * t) / np.cosh(g * x)])

    return system, exact, (-3.0, 3.0)


def soliton_of_kdv(sites: int) -> tuple:
    a, b, k = 6.0, 1.0, 0.8
    system = fixed(KdV, sites, 20.0, a=a, b=b)

    def exact(t):
        y = (system.places - 4 * b * k * k * t) % 20 - 10
        return 12 * b * k * k / a * sech(k * y) ** 2

    return system, exact, (0.0, 0.3)


def interface_of_allen_cahn(sites: int) -> tuple:
    """Two interfaces at rest."""
    system = fixed(AllenCahn, sites, 40.0, m=1.0, e=0.7)

    def exact(t):
        first, second = ((system.places - place) / (math.sqrt(2) * 0.7) for place in (10, 30))
        return np.tanh(first) - np.tanh(second) - 1

    return system, exact, (0.0, 1.0)


def missed(example, sites: int, broken: bool = False) -> float:
    """Relative distance of the truth on the lattice from the solution of the continuum."""
    system, exact, (begin, end) = example(sites)
    mu = system.corners()[:1]
    if broken:
        law = system.vector_field
        system.vector_field = lambda x, mu: 1.02 * law(x, mu)
    reached = integrate(system, exact(begin)[None, None], mu, np.array([begin, end]), 1e-10)[0, 0, -1]
    return np.linalg.norm(reached - exact(end)) / np.linalg.norm(exact(end))


MOVING = [kink_of_phi4, collision_of_sine_gordon, soliton_of_kdv]


@pytest.mark.parametrize("example", [*MOVING, interface_of_allen_cahn])
def test_truth_is_that_of_the_continuum_to_second_order(example):
    coarse, fine = missed(example, 80), missed(example, 160)
    assert fine < 0.01
    assert 1.8 < math.log2(coarse / fine) < 2.3


@pytest.mark.parametrize("example", MOVING)
def test_a_truth_that_is_two_per_cent_too_fast_is_not(example):
    coarse, fine = missed(example, 80, broken=True), missed(example, 160, broken=True)
    assert math.log2(coarse / fine) < 1.5


def gradient_flow(family: type, tasks: int = 2):
    system = family({"m": [0.5, 1.5], "e": [0.4, 0.8]}, 32, 0.5)
    mu = system.corners()[:tasks]
    starts = np.stack([system.sample_starts(np.random.default_rng(0), member, 3) for member in mu])
    paths = integrate(system, starts, mu, np.linspace(0, 2, 30), 1e-9)
    free = system.free_energy(paths.reshape(tasks, -1, 32), mu).reshape(paths.shape[:-1])
    return paths, free


def test_free_energy_falls_and_cahn_hilliard_keeps_the_mass_which_allen_cahn_does_not():
    for family in (AllenCahn, CahnHilliard):
        paths, free = gradient_flow(family)
        assert np.diff(free, axis=-1).max() < 1e-8
        assert (free[..., 0] - free[..., -1]).min() > 1e-2
        drift = np.ptp(paths.sum(-1), axis=-1).max()
        assert drift < 1e-8 if family is CahnHilliard else drift > 1e-2


def test_chemical_potential_is_the_gradient_of_the_free_energy():
    system = CahnHilliard({"m": [0.5, 1.5], "e": [0.4, 0.8]}, 8, 0.5)
    mu, h = system.corners(), 1e-6
    x = np.random.default_rng(0).standard_normal((2, 3, 8))
    differences = [(system.free_energy(x + s, mu) - system.free_energy(x - s, mu)) / (2 * h) for s in h * np.eye(8)]
    np.testing.assert_allclose(system.potential(x, mu), np.stack(differences, -1), atol=1e-7)


@pytest.fixture(params=GRIDS)
def net(request) -> Lattice:
    torch.manual_seed(0)
    return Lattice(SIZE, width=6, **GRIDS[request.param]).double()


@pytest.fixture
def u() -> torch.Tensor:
    return torch.randn(2, 3, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_gradient_of_a_lattice_is_that_of_autograd(net, u):
    expected = torch.func.grad(lambda u: net(u, {}).sum())(u)
    torch.testing.assert_close(net.gradient(u, {}), expected, rtol=1e-11, atol=1e-13)


def moved(net, u: torch.Tensor) -> torch.Tensor:
    """The fields carried one site along the last axis."""
    return net.grid.states(net.grid.fields(u).roll(1, -1))


def test_energy_does_not_see_where_a_field_is_on_a_ring_and_a_dense_net_does(net, u):
    change = (net(moved(net, u), {}) - net(u, {})).abs().max()
    dense = MLP(SIZE, width=6).double()
    assert (dense(moved(net, u), {}) - dense(u, {})).abs().max() > 1e-3
    assert change < 1e-13 if net.grid.ends == "periodic" else change > 1e-4


def test_a_field_that_is_zero_next_to_fixed_ends_may_move(u):
    """The ends are no places of their own."""
    net = Lattice(SIZE, width=6, **GRIDS["line"]).double()
    u[..., :6], u[..., -6:] = 0, 0
    torch.testing.assert_close(net(moved(net, u), {}), net(u, {}), rtol=1e-12, atol=1e-13)


def test_a_lattice_of_twice_as_many_sites_holds_twice_the_energy(u):
    torch.manual_seed(0)
    net = Lattice(SIZE, width=6, **GRIDS["ring"]).double()
    larger = Lattice(2 * SIZE, width=6, **GRIDS["ring"]).double()
    larger.load_state_dict(net.state_dict())
    twice = larger.grid.states(net.grid.fields(u).repeat(1, 1, 1, 2))
    torch.testing.assert_close(larger(twice, {}), 2 * net(u, {}))


def variational(operator: str, **grid) -> Variational:
    torch.manual_seed(0)
    ones = torch.ones(SIZE, dtype=torch.float64)
    scales = Scales(0 * ones, 1.5 * ones, 0.7 * ones)
    return Variational(lambda *sizes: Lattice(*sizes, width=6, **grid), scales, operator).double()


@pytest.mark.parametrize("grid", [*GRIDS])
@pytest.mark.parametrize("operator", ["advection", "decay", "diffusion"])
def test_operator_keeps_the_law_of_the_energy_and_of_the_mass(operator, grid, u):
    dynamics = variational(operator, **GRIDS[grid])
    u = u.requires_grad_()
    (gradient,) = torch.autograd.grad(dynamics.energy(u, {}).sum(), u)
    field = dynamics.vector_field(u, {})
    rate, size = (gradient * field).sum(-1), (gradient * field).abs().sum(-1)
    assert (rate.abs() / size).max() < 1e-13 if operator == "advection" else (rate / size).max() < -0.3
    flow = dynamics.grid.fields(field).flatten(3)
    kept = (flow.sum(-1).abs() / flow.abs().sum(-1)).max()
    keeps = operator == "diffusion" or (operator == "advection" and GRIDS[grid].get("ends") != "fixed")
    assert kept < 1e-13 if keeps else kept > 1e-4


def test_a_difference_to_one_side_does_not_keep_the_energy(u):
    """What the central difference is for."""
    dynamics = variational("advection", **GRIDS["ring"])
    grid = dynamics.grid
    dynamics._moved = lambda slope: grid.states(grid.forward(grid.fields(slope), -1))
    u = u.requires_grad_()
    (gradient,) = torch.autograd.grad(dynamics.energy(u, {}).sum(), u)
    parts = gradient * dynamics.vector_field(u, {})
    assert (parts.sum(-1).abs() / parts.abs().sum(-1)).min() > 1e-2


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="need a state of 20 numbers, got 24"):
        Lattice(SIZE, shape=[4, 5])
    with pytest.raises(ValueError, match="use net=lattice"):
        Variational(lambda *sizes: MLP(*sizes), Scales(*torch.ones(3, 4)))
    with pytest.raises(ValueError, match="sites must be at least 3"):
        fixed(KdV, 2, 20.0, a=1.0, b=1.0)


@dataclass
class Rolled:
    """Members whose rollouts are those of a law, perhaps of another one."""

    system: KdV
    parameters: np.ndarray
    speed: float
    times: np.ndarray = field(default_factory=lambda: np.linspace(0, 0.1, 5))

    @property
    def starts(self) -> np.ndarray:
        draw = np.random.default_rng(0)
        return np.stack([self.system.sample_starts(draw, mu, 2) for mu in self.parameters])

    @property
    def query(self) -> np.ndarray:
        return integrate(self.system, self.starts, self.parameters, self.times, 1e-10)

    def rolled_out(self, times: np.ndarray) -> np.ndarray:
        return integrate(self.system, self.starts, self.parameters, self.speed * times, 1e-10)


def test_error_over_ten_horizons_is_that_of_ten_times_the_time():
    system = KdV({"a": [5.0, 6.0], "b": [0.5, 1.0]}, 32, 0.625)
    exact, slow = (TenfoldError(10).measure(Rolled(system, system.corners(), speed))[""] for speed in (1.0, 0.99))
    assert exact.max() < 1e-6
    once = TenfoldError(1).measure(Rolled(system, system.corners(), 0.99))[""]
    assert exact.shape == slow.shape == (2,)
    assert (slow > 3 * once).all()
