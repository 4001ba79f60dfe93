"""Columns of (q, p) in another order are told, and no order that may be right."""

from __future__ import annotations

import re

import numpy as np
import pytest

from metastruct.data.pairs import disordered
from metastruct.data.trajectory import Member, Trajectory
from metastruct.dynamics.hamiltonian import Hamiltonian
from metastruct.dynamics.port_hamiltonian import PortHamiltonian

BODIES = 4
Q, P = ([f"{letter}{i}" for i in range(BODIES)] for letter in "qp")


def chains(noise=0.0, masses=(1.0, 1.0, 1.0, 1.0)):
    """Masses between two walls, joined by springs: modes in closed form."""
    rng, root = np.random.default_rng(0), np.sqrt(np.array(masses))
    stiffness = 2 * np.eye(BODIES) - np.eye(BODIES, k=1) - np.eye(BODIES, k=-1)
    squares, modes = np.linalg.eigh(stiffness / np.outer(root, root))
    t, w = np.linspace(0, 15, 150), np.sqrt(squares)

    def path():
        size, phase = rng.uniform(0.5, 1.5, BODIES), rng.uniform(0, 2 * np.pi, BODIES)
        q = size * np.cos(w * t[:, None] + phase) @ modes.T / root
        p = -size * w * np.sin(w * t[:, None] + phase) @ modes.T * root
        x = np.concatenate([q, p], -1)
        return Trajectory(t, x + noise * x.std(0) * rng.standard_normal(x.shape))

    return [Member((path(), path())) for _ in range(3)]


def ordered(members, names):
    """The columns in this order."""
    places = [(Q + P).index(name) for name in names]
    return [Member(tuple(Trajectory(one.times, one.states[:, places]) for one in m.trajectories)) for m in members]


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([name for pair in zip(Q, P, strict=True) for name in pair], "q0 moves as p0 says, .* not as q2;"),
        (Q + P[::-1], "q0 moves as p0 says, .* not as p3;"),
        (P + Q, "q0 moves as p0 says, .* not the other way round;"),
    ],
    ids=["interleaved", "reversed", "momenta first"],
)
def test_another_order_is_told(noise, names, words):
    members = ordered(chains(noise), names)
    for dynamics in (Hamiltonian, PortHamiltonian):
        (line,) = dynamics.read(members, names)[1]
        assert re.search(words, line)
    assert PortHamiltonian.read(members, names, skew="constant")[1] == ()  # of which no column is a position


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2, 1.0])
@pytest.mark.parametrize("masses", [(1.0, 1.0, 1.0, 1.0), (0.2, 1.0, 5.0, 1.0)])
def test_an_order_that_may_be_right_is_not(noise, masses):
    members, bodies = chains(noise, masses), [2, 0, 3, 1]
    for names in (Q + P, [Q[i] for i in bodies] + [P[i] for i in bodies]):
        assert disordered(ordered(members, names), names) is None


def test_nothing_is_said_of_momenta_that_are_no_velocities_or_of_too_little():
    """Such as in a magnetic field, where p = v + A(q)."""
    field = np.eye(2 * BODIES) + 3.0 * np.eye(2 * BODIES, k=BODIES)
    members = [Member(tuple(Trajectory(one.times, one.states @ field.T) for one in m.trajectories)) for m in chains()]
    assert disordered(members, Q + P) is None
    short = [Member((Trajectory(one.times[:5], one.states[:5]),)) for m in chains() for one in m.trajectories]
    assert disordered(ordered(short, Q + P[::-1]), Q + P[::-1]) is None
