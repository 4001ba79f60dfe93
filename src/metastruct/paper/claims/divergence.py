"""C8: which methods diverge on the damped oscillator."""

from __future__ import annotations

from typing import Any

from metastruct.config.published import PAPER_YAML
from metastruct.paper.claims.claim import Claim, Finding
from metastruct.paper.claims.rules import HELD, NOT_HELD, UNDECIDED
from metastruct.paper.methods import of_weights
from metastruct.paper.sources import Measured

CLAIMED: dict[str, Any] = PAPER_YAML["diverging"]


def c8(measured: Measured) -> Finding:
    """Reptile and ANIL diverge on the damped oscillator and modulation does not."""
    oscillators = measured["dissipative"].where(system=CLAIMED["system"])
    finding, shares = Finding(), {}
    for bracket in oscillators.different("dynamics"):
        for method in oscillators.where(dynamics=bracket).different("method"):
            runs = oscillators.where(dynamics=bracket, method=method).runs
            lost = [int(run.lost.sum()) for run in runs]
            tasks, collapses = (
                sum(len(run.lost) for run in runs),
                sum(bool(run["training_diverged_at"]) for run in runs),
            )
            finding.evidence.append(
                f"{method}, {bracket}: {sum(lost)} of {tasks} test tasks diverged "
                f"(by seed {', '.join(map(str, lost))}), and {collapses} of {len(runs)} trainings"
            )
            if bracket == CLAIMED["dynamics"]:
                shares[method] = sum(lost) / tasks
    claimed = [shares[name] for name in CLAIMED["methods"] if name in shares]
    modulations = [share for name, share in shares.items() if not of_weights(name)]
    finding.about = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items() if share)
    finding.about = f"diverged tasks: {finding.about or 'none'}"
    if any(share == 0 for share in claimed) or any(share > 0 for share in modulations):
        finding.verdict = NOT_HELD
    elif len(claimed) == len(CLAIMED["methods"]) and modulations and all(share > 0.5 for share in claimed):
        finding.verdict = HELD
    else:
        finding.verdict = UNDECIDED
    return finding


DIVERGENCE = (
    Claim(
        "C8",
        "On the damped oscillator Reptile and ANIL diverge and modulation does not",
        f"with {CLAIMED['dynamics']}, over all seeds; held: more than half of the test tasks of Reptile and of ANIL "
        "diverged and none of any modulation; not held: none of Reptile or none of ANIL did, or one of a modulation",
        ("dissipative",),
        c8,
    ),
)
