"""Oracles of families of many bodies, each with a law that must fail it, and a model at another number of bodies."""

from __future__ import annotations

import copy

import ase
import numpy as np
import pytest
import torch
from ase.calculators.morse import MorsePotential

from metastruct.config.schema import ConfigError, composed
from metastruct.data.simulate import integrate
from metastruct.objectives.derivatives import Derivatives
from metastruct.running.assembly import build_model, component
from metastruct.running.resized import resized
from metastruct.running.run import Run
from metastruct.running.trained import Trained


def family(*words: str):
    return component(composed(*words).system)


def along(system, x0: np.ndarray, mu: np.ndarray, times: np.ndarray) -> np.ndarray:
    return integrate(system, x0, mu, times, 1e-11)


@pytest.mark.few(1)
@pytest.mark.parametrize(("size", "agrees"), [(1e-4, True), (1.0, False)])
def test_small_motions_of_a_chain_are_its_modes(size, agrees):
    chain = family("system=fput", "system.oscillators=5")
    mu, times, number = chain.corners(), np.linspace(0, 10, 21), np.arange(1, 6)
    for k in number:
        mode, frequency = np.sin(np.pi * k * number / 6), 2 * np.sin(np.pi * k / 12)
        x0 = np.broadcast_to(size * np.concatenate([mode, 0 * mode]), (2, 1, 10))
        q = along(chain, x0, mu, times)[:, 0, :, :5]
        exact = size * np.cos(frequency * times)[:, None] * mode
        error = np.abs(q - exact).max(axis=(1, 2)) / size
        assert (error < 1e-3).all() if agrees else error.max() > 1e-2


@pytest.mark.parametrize("name", ["fput", "toda"])
def test_chains_start_with_the_energy_that_they_are_given(name):
    for energy in (0.5, 2.0):
        chain = family(f"system={name}", "system.oscillators=6", f"system.energy={energy}")
        for mu in chain.corners():
            starts = chain.sample_starts(np.random.default_rng(0), mu, 5)
            np.testing.assert_allclose(chain.energy(starts[None], mu[None])[0], 6 * energy, rtol=1e-12)
            assert starts.std(0).min() > 0.1
    with pytest.raises(ValueError, match="energy must be above 0, got 0"):
        type(chain)({name: [1.0, 1.5] for name in chain.parameter_names}, 6, 0.0)


def test_a_ring_keeps_all_of_its_integrals_and_a_chain_of_other_springs_does_not():
    ring = family("system=toda", "system.oscillators=5")
    other = copy.copy(ring)

    def spring(d, mu):
        energy, tension, stiffness = ring.spring(d, mu)
        return energy + 0.1 * d**4, tension + 0.4 * d**3, stiffness

    other.spring = spring
    mu = ring.corners()
    x0 = np.stack([ring.sample_starts(np.random.default_rng(0), member, 2) for member in mu])
    drifts = []
    for law in (ring, other):
        paths = along(law, x0, mu, np.linspace(0, 10, 11))
        integrals = ring.integrals(paths.reshape(2, -1, 10), mu).reshape(2, 2, 11, 5)
        drifts.append(np.abs(integrals - integrals[:, :, :1]).max())
    assert drifts[0] < 1e-8
    assert drifts[1] > 1e-2


def test_starts_of_chains_have_the_energy_of_half_a_particle_each():
    for name in ("fput", "toda"):
        chain = family(f"system={name}")
        mu = chain.corners()
        x = np.stack([chain.sample_starts(np.random.default_rng(0), member, 20) for member in mu])
        np.testing.assert_allclose(chain.energy(x, mu), chain.oscillators / 2, rtol=1e-10)


def test_rings_of_bodies_are_bound_with_their_centre_of_mass_at_rest():
    bodies = family("system=bodies")
    mu = np.stack([*bodies.corners(), bodies.sample_parameters(np.random.default_rng(1))])
    x = np.stack([bodies.sample_starts(np.random.default_rng(0), member, 50) for member in mu])
    assert (bodies.energy(x, mu) < 0).all()
    assert np.abs(bodies.momentum(x, mu)).max() < 1e-12
    centre = (mu[:, None, :-1, None] * x[..., :10].reshape(3, 50, 5, 2)).sum(-2)
    assert np.abs(centre).max() < 1e-12


def test_springs_with_a_second_rest_position_are_refused():
    with pytest.raises(ValueError, match=r"alpha\^2 < 4 beta"):
        family("system=fput", "system.parameters.alpha=[0,1.5]")


def trained(*words: str) -> tuple[Trained, Run]:
    from metastruct.dynamics.dynamics import Scales

    run = Run.of(composed(*words, "net.width=6"))
    size = component(composed(*words).system).state_dim
    torch.manual_seed(0)
    draws = torch.rand(3, size, dtype=torch.float64) + 0.5
    model = build_model(run.config, Scales(*draws)).double()
    noise = torch.rand(size, dtype=torch.float64)
    codes = torch.randn(4, model.code_dim, dtype=torch.float64)
    return Trained(model, Derivatives().learned({}, noise), codes, noise, 0.0, [], None), run


def test_a_model_at_another_size_has_the_springs_that_it_was_trained_with():
    few, _ = trained("system=fput", "net=graph", "system.oscillators=4")
    larger = Run.of(composed("system=fput", "net=graph", "system.oscillators=7", "net.width=6"))
    many = resized(few, larger.config, 14)
    q, p = torch.randn(2, 1, 3, 4, dtype=torch.float64)
    rest = torch.full((1, 3, 3), 0.7, dtype=torch.float64)
    code = few.codes[:1]
    small = few.model.vector_field(torch.cat([q, p], -1), code)
    large = many.model.vector_field(torch.cat([q, rest, p, rest], -1), code)
    torch.testing.assert_close(large[..., :4], small[..., :4])
    torch.testing.assert_close(large[..., 7:10], small[..., 4:7])
    assert not torch.allclose(large[..., 10], small[..., 7])  # which feels the next one, not a wall
    assert many.noise.shape == many.model.dynamics.state_std.shape == (14,)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("system=fput", "net=mlp"), r"net=mlp is of one number of bodies, got another; use net=graph"),
        (("system=damped_chain", "dynamics=local_generic", "net=graph"), r"single body, got .*friction.*; train at"),
    ],
)
def test_what_belongs_to_single_bodies_has_no_other_size(words, message):
    few, _ = trained(*words, "system.oscillators=4")
    larger = Run.of(composed(*words, "system.oscillators=5", "net.width=6"))
    with pytest.raises(ConfigError, match=message):
        resized(few, larger.config, component(composed(*words, "system.oscillators=5").system).state_dim)


@pytest.mark.parametrize(("error", "agrees"), [(0.0, True), (0.01, False)])
def test_energy_and_forces_of_a_cluster_are_those_that_a_package_of_atoms_finds(error, agrees):
    """Its pairs are of one depth, so that those of two species are put together from three clusters."""
    clusters = family("system=clusters")
    mu = clusters.sample_parameters(np.random.default_rng(0))
    x = clusters.sample_starts(np.random.default_rng(1), mu, 1)
    q, first = x[0, :21].reshape(7, 3), clusters.species == 0

    def of(chosen, depth):
        atoms = ase.Atoms("H" * int(chosen.sum()), positions=q[chosen])
        atoms.calc = MorsePotential(epsilon=depth, r0=1.0, rho0=mu[3] * (1 + error), rcut1=50.0, rcut2=60.0)
        forces = np.zeros((7, 3))
        forces[chosen] = atoms.get_forces()
        return np.array([atoms.get_potential_energy(), *forces.flatten()])

    aa, ab, bb = mu[:3]
    theirs = of(first | True, ab) + of(first, aa) - of(first, ab) + of(~first, bb) - of(~first, ab)
    ours = np.array([
        clusters.potential(q[None, None], mu[None])[0, 0],
        *clusters.vector_field(x[None], mu[None])[0, 0, 21:],
    ])  # fmt: skip
    assert np.allclose(ours, theirs, rtol=1e-10, atol=1e-10) == agrees


def test_clusters_start_warm_about_a_rest_where_no_atom_can_leave():
    clusters = family("system=clusters")
    mu = np.stack([*clusters.corners(), clusters.sample_parameters(np.random.default_rng(1))])
    x = np.stack([clusters.sample_starts(np.random.default_rng(0), member, 20) for member in mu])
    assert np.abs(clusters.momentum(x, mu)).max() < 1e-12
    for member, starts in zip(mu, x, strict=True):
        rest = clusters.rest(member)
        still = np.concatenate([rest.flatten(), np.zeros(21)])
        assert np.abs(clusters.vector_field(still[None, None], member[None])).max() < 1e-4
        pairs = np.linalg.norm(rest[:, None] - rest, axis=-1) + np.eye(7)
        both = clusters.species[:, None] + clusters.species
        bonds = member[both] * ((1 - np.exp(-member[3] * (pairs - 1))) ** 2 - 1) * (1 - np.eye(7))
        alone = bonds.sum() / 2 - bonds.sum(1)  # without one atom, the others where they are
        assert (clusters.energy(starts[None], member[None])[0] < alone.min()).all()
