"""C1, C2, C4, C7, C8: who has the lowest error, and who diverges."""

from __future__ import annotations

from collections.abc import Iterator

from metastruct.reports.claims.claim import (
    HELD,
    METRICS,
    NOT_HELD,
    UNDECIDED,
    Claim,
    Comparison,
    Finding,
    Tables,
    compared,
)
from metastruct.reports.results import Results
from metastruct.reports.statistics import ratio

SVD, BASELINES = "svd(5)", ("maml", "reptile", "anil")
CUT = 0.65


def c1(tables: Tables) -> Finding:
    main = tables["main"]
    finding = Finding()
    verdicts = []
    for system in main.different("system"):
        for baseline in BASELINES:
            for metric, name in METRICS.items():
                of = main.where(system=system)
                found = ratio(of.where(method=SVD), of.where(method=baseline), metric)
                if found is None:
                    verdicts.append(UNDECIDED)
                    continue
                verdicts.append(HELD if found.high < 1 - CUT else NOT_HELD if found.low > 1 - CUT else UNDECIDED)
                finding.evidence.append(
                    f"{system}: {name} error of {SVD} is {100 * (1 - found.value):.0f} % below that of {baseline} "
                    f"(interval {100 * (1 - found.high):.0f} to {100 * (1 - found.low):.0f} %)"
                )
    finding.verdict = NOT_HELD if NOT_HELD in verdicts else HELD if set(verdicts) == {HELD} else UNDECIDED
    return finding


def rivals(results: Results, favourite: str, told: str) -> Iterator[Comparison]:
    """The favourite against every other method that is there."""
    own = results.where(method=favourite)
    for method in results.different("method"):
        if method != favourite:
            yield f"{told}: {favourite} over {method}", own, results.where(method=method)


def c2(tables: Tables) -> Finding:
    main, morse = tables["main"], tables.get("morse")
    pools = [main, *([morse] if morse else [])]
    return compared(
        comparison
        for pool in pools
        for system in pool.different("system")
        for comparison in rivals(pool.where(system=system), SVD, system)
    )


def c4(tables: Tables) -> Finding:
    results = tables["shots"].those(lambda run: run["adaptation"] in ("gradient", "closed_form"))

    def comparisons() -> Iterator[Comparison]:
        for system in results.different("system"):
            of = results.where(system=system)
            for shots in of.different("shots"):
                yield from rivals(of.where(shots=shots).those(_at_the_end), SVD, f"{system}, {shots} observations")
            for steps in of.where(shots="200").different("steps"):
                yield from rivals(of.where(shots="200", steps=steps), SVD, f"{system}, {steps} steps")

    return compared(comparisons())


def _at_the_end(run) -> bool:  # type: ignore[no-untyped-def]
    return run["steps"] == "300" or run["adaptation"] == "closed_form"


def c7(tables: Tables) -> Finding:
    return compared(rivals(tables["multi_domain"], SVD, "all domains"))


def c8(tables: Tables) -> Finding:
    oscillators = tables["dissipative"].where(system="damped_oscillator")
    finding, fate = Finding(), {}
    for method in oscillators.different("method"):
        runs = oscillators.where(method=method).runs
        gone = [run for run in runs if run["training_diverged_at"]]
        lost, tasks = sum(int(run.lost.sum()) for run in runs), sum(len(run.lost) for run in runs)
        fate[method] = lost / tasks
        finding.evidence.append(
            f"{method}: {lost} of {tasks} test tasks diverged, {len(gone)} of {len(runs)} trainings did"
        )
    baselines = [fate[name] for name in ("reptile", "anil") if name in fate]
    others = [share for name, share in fate.items() if "(" in name or name in ("shift", "rank_one", "full_weight")]
    if len(baselines) == 2 and others:
        diverge, hold = all(share > 0.5 for share in baselines), all(share == 0 for share in others)
        finding.verdict = HELD if diverge and hold else NOT_HELD
    return finding


ACCURACY = (
    Claim(
        "C1",
        "Modulation cuts the error of MAML, Reptile and ANIL by about 65 %",
        f"held: the whole interval of the cut is above {100 * CUT:.0f} % for every baseline, system and error; "
        "not held: for one of them it is wholly below",
        ("main",),
        c1,
    ),
    Claim("C2", "SVD(5) has the lowest error on every system", "see above", ("main",), c2),
    Claim(
        "C4",
        "SVD is best at every number of shots, 1 to 300",
        "see above; a shot as an observation and as an adaptation step",
        ("shots",),
        c4,
    ),
    Claim(
        "C7",
        "With one base for duffing, mass_spring and pendulum, SVD(5) is still best",
        "see above, over the test tasks of all domains",
        ("multi_domain",),
        c7,
    ),
    Claim(
        "C8",
        "On the damped oscillator Reptile and ANIL diverge and modulation does not",
        "held: more than half of the test tasks of both diverged and none of any modulation; not held otherwise",
        ("dissipative",),
        c8,
    ),
)
