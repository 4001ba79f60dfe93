"""The paper's numbers (x 1e-2, field / trajectory error), to stand beside ours."""

from __future__ import annotations

NOTE = "published: arXiv 2508.11205, whose ranges, horizons, network sizes and steps are unknown: settings differ"

PUBLISHED: dict[tuple[str, str], tuple[float | None, float | None]] = {
    ("pendulum", "scratch"): (83.35, 79.84),
    ("pendulum", "maml"): (99.13, 52.37),
    ("pendulum", "reptile"): (88.72, 75.73),
    ("pendulum", "full_weight"): (8.23, 10.65),
    ("pendulum", "shift"): (9.76, 12.88),
    ("pendulum", "rank_one"): (6.47, 8.27),
    ("pendulum", "svd(5)"): (4.62, 5.33),
    ("mass_spring", "full_weight"): (1.60, 1.31),
    ("mass_spring", "svd(5)"): (1.51, 1.12),
    ("duffing", "full_weight"): (10.30, 2.78),
    ("duffing", "svd(5)"): (10.03, 2.30),
}
UNSCALED = {("damped_oscillator", "svd(3)"): "trajectory 0.142, scale not stated"}


def beside(system: str, method: str, dynamics: str) -> str | None:
    """The paper's numbers as text, for the dynamics that it used; None where it has none."""
    if dynamics not in ("hamiltonian", "generic(gnode)"):
        return None
    found = PUBLISHED.get((system, method))
    if found is None:
        return UNSCALED.get((system, method))
    return " / ".join("-" if value is None else f"{value:.2f}" for value in found)
