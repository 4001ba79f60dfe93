"""What metrics may need, a word each, and who has it; without torch, so that a refusal answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metastruct.dynamics.dynamics import Dynamics
    from metastruct.systems.system import System

NEEDS = {
    "law": "a known vector field of the system",
    "energy": "a system with an energy",
    "entropy": "a system with an entropy",
    "learned_energy": "a dynamics that keeps an energy",
    "learned_entropy": "a dynamics that never lowers an entropy",
    "degeneracies": "a dynamics with degeneracy conditions",
    "posterior": "an adaptation with a posterior, such as levenberg_marquardt",
}


def of_system(system: System | None) -> set[str]:
    """The needs that the true family meets; none where nobody knows it."""
    if system is None:
        return set()
    met = {"law": True, "energy": system.has_energy, "entropy": system.has_entropy}
    return {need for need, holds in met.items() if holds}


def of_dynamics(dynamics: type[Dynamics]) -> set[str]:
    """The needs that a class of dynamics meets."""
    from metastruct.dynamics.dynamics import Dynamics

    met = {
        "learned_energy": dynamics.conserves,
        "learned_entropy": dynamics.dissipates,
        "degeneracies": dynamics.degeneracies is not Dynamics.degeneracies,
    }
    return {need for need, holds in met.items() if holds}
