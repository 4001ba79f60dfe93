"""The paper's numbers, each in the unit of its metric, to stand beside ours."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from metastruct.config.facts import CONF

PAPER_YAML: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(CONF / "paper.yaml"))  # type: ignore[assignment]
NOTE: str = PAPER_YAML["note"]
METRICS: tuple[str, ...] = tuple(PAPER_YAML["metrics"])

PUBLISHED: dict[tuple[str, str], dict[str, float | None]] = {
    (system, method): dict(zip(METRICS, numbers, strict=True))
    for system, methods in PAPER_YAML["errors"].items()
    for method, numbers in methods.items()
}


def beside(system: str, method: str, dynamics: str) -> str | None:
    """The paper's numbers as text, for the dynamics that it used; None where it has none."""
    if dynamics not in PAPER_YAML["dynamics"]:
        return None
    numbers = PUBLISHED.get((system, method))
    if numbers is None:
        remark: str | None = PAPER_YAML["remarks"].get(system, {}).get(method)
        return remark
    return " / ".join("-" if value is None else f"{value:.2f}" for value in numbers.values())
