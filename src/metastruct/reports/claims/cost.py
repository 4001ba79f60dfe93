"""C3, C9: error against trained parameters, and what the adaptation to a new task costs."""

from __future__ import annotations

from metastruct.reports.claims.claim import HELD, METRICS, NOT_HELD, UNDECIDED, Claim, Finding, Tables
from metastruct.reports.results import Results, spread
from metastruct.reports.statistics import ratio

SVD = "svd(5)"
MODULATIONS = (SVD, "shift", "rank_one", "multi_rank(5)", "full_weight")


def c3(tables: Tables) -> Finding:
    finding, verdicts = Finding(), []
    main = tables["main"]
    for system in main.different("system"):
        of = main.where(system=system).those(lambda run: run["method"] in MODULATIONS)
        own = of.where(method=SVD)
        if not own:
            continue
        size = own.runs[0].parameters
        for method in of.different("method"):
            other = of.where(method=method)
            if method == SVD or other.runs[0].parameters > size:
                continue
            for metric, name in METRICS.items():
                found = ratio(own, other, metric)
                if found is None:
                    verdicts.append(UNDECIDED)
                    continue
                verdicts.append(NOT_HELD if found.above else HELD if found.below else UNDECIDED)
                finding.evidence.append(
                    f"{system}: {method} has {other.runs[0].parameters:,} parameters, {SVD} {size:,}; {name} error of "
                    f"{SVD} over {method}: {found}"
                )
    finding.verdict = NOT_HELD if NOT_HELD in verdicts else HELD if set(verdicts) == {HELD} else UNDECIDED
    return finding


def c9(tables: Tables) -> Finding:
    main = tables["main"].where(system="pendulum")
    costs = {method: _cost(main.where(method=method)) for method in main.different("method")}
    memory = {run["method"]: float(run["peak_bytes"]) for run in getattr(tables.get("adaptation_cost"), "runs", ())}
    finding = Finding()
    for method, (seconds, numbers) in costs.items():
        held = f", {memory[method] / 2**20:.1f} MiB at most" if method in memory else ""
        finding.evidence.append(f"{method}: {numbers:,} adapted numbers a task, {seconds:.2f} s for ten tasks{held}")
    ours = [costs[name] for name in MODULATIONS if name in costs]
    theirs = [costs[name] for name in ("maml", "anil", "reptile", "pretrained") if name in costs]
    if ours and theirs:
        fewer = max(cost[1] for cost in ours) < min(cost[1] for cost in theirs)
        faster = max(cost[0] for cost in ours) < min(cost[0] for cost in theirs)
        slower = min(cost[0] for cost in ours) > min(cost[0] for cost in theirs)
        lighter = not memory or max(memory.get(name, 0) for name in MODULATIONS) < min(
            memory.get(name, float("inf")) for name in ("maml", "anil", "reptile", "pretrained")
        )
        finding.verdict = HELD if fewer and faster and lighter else NOT_HELD if slower or not fewer else UNDECIDED
        if fewer and not lighter:
            finding.verdict = NOT_HELD
    return finding


def _cost(of: Results) -> tuple[float, int]:
    return spread([float(run["adaptation_seconds"]) for run in of.runs])[0], int(of.runs[0]["code_numbers"])


COST = (
    Claim(
        "C3",
        "SVD(5) is Pareto-optimal in error against parameters",
        "against every modulation with no more trained parameters; held: all errors wholly lower; not held: one wholly "
        "higher",
        ("main",),
        c3,
    ),
    Claim(
        "C9",
        "Modulation adapts with less: seconds, memory and adapted numbers a task",
        "against MAML, ANIL, Reptile and fine-tuning; held: every modulation is below every one of them in all that was "
        "measured; not held: one of them adapts fewer numbers or is faster than the fastest modulation",
        ("main",),
        c9,
    ),
)
