"""Every rule of a verdict, held, not held and undecided, on results that were made up for it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from metastruct.config.published import METRICS
from metastruct.paper.claims import CLAIMS
from metastruct.paper.claims.claim import Finding
from metastruct.paper.claims.rules import HELD, NOT_HELD, UNDECIDED
from metastruct.paper.results import Result, Results
from metastruct.paper.sources import Cost, Measured

FIELD, TRAJECTORY = METRICS

TASKS, SEEDS = 10, (0, 1, 2)
BETTER, SAME, WORSE = 0.3, 1.0, 3.0


def run(error, seed=0, lost=0, parameters=100, **settings):
    """One run whose tasks have about this error; the first `lost` of them diverged."""
    rng = np.random.default_rng([seed, TASKS])
    values = error * np.exp(0.1 * rng.normal(size=TASKS))
    trajectory = values.copy()
    trajectory[:lost] = np.nan
    described = {"run": f"run-{seed}", "seed": str(seed), "label": "", "base_parameters": str(parameters)}
    described |= {"hypernetwork_parameters": "0", "training_diverged_at": "", "adaptation": "gradient"}
    described |= {"steps": "300", "shots": "200", "system": "pendulum", "method": "svd(5)", "dynamics": "hamiltonian"}
    return Result(described | settings, {FIELD: values, TRAJECTORY: trajectory}, ("pendulum",) * TASKS)


def noisy(error, seed, spread=1.0):
    """A factor that differs from seed to seed, so that nothing can be said."""
    return error * np.exp(spread * (seed - 1))


def judged(name, **measured) -> Finding:
    (claim,) = [claim for claim in CLAIMS if claim.name == name]
    if name == "C2" and measured:
        measured["tables"] = {"morse": table("morse", (0.1, {"system": "morse"}))} | measured["tables"]
    return claim.judged(Measured(**measured))


def verdict(name, *tables, **more):
    return judged(name, tables={table.name: table for table in tables}, **more).verdict


def table(name, *groups, planned=None):
    """A table of the runs of several settings, each as (error or error of a seed, settings)."""
    runs = []
    for error, settings in groups:
        runs += [run(error(seed) if callable(error) else error, seed, **settings) for seed in SEEDS]
    return Results(name, tuple(runs), planned)


def rivals(ours, theirs, methods=("shift", "full_weight"), **settings):
    """SVD with an error, and each other method with one, as groups of a table."""
    return [(ours, settings), *((theirs, settings | {"method": method}) for method in methods)]


CASES = [(BETTER, HELD), (WORSE, NOT_HELD), (lambda seed: noisy(0.9, seed), UNDECIDED)]


@pytest.mark.parametrize("name", [claim.name for claim in CLAIMS])
def test_a_claim_without_its_tables_is_undecided_and_says_what_to_run(name):
    found = judged(name)
    assert found.verdict == UNDECIDED
    assert all(" is missing: python scripts/" in line for line in found.evidence)


def test_all_claims_of_the_paper_are_there_in_order():
    assert [claim.name for claim in CLAIMS] == [*(f"C{i}" for i in range(1, 11)), "P3.1"]


@pytest.mark.parametrize(("ours", "expected"), [(0.2, HELD), (0.5, NOT_HELD), (0.35, UNDECIDED)])
def test_c1_asks_for_a_cut_of_65_percent_against_every_baseline(ours, expected):
    spread = (lambda seed: noisy(ours, seed, 0.1)) if expected == UNDECIDED else ours
    assert verdict("C1", table("baselines", *rivals(spread, 1.0, ("maml", "anil", "reptile")))) == expected


def test_c1_without_one_of_the_baselines_is_undecided():
    found = judged("C1", tables={"baselines": table("baselines", *rivals(0.1, 1.0, ("maml", "anil")))})
    assert found.verdict == UNDECIDED
    assert "missing: pendulum, svd(5) over reptile with the same seed" in found.evidence


@pytest.mark.parametrize(("ours", "expected"), CASES)
def test_c2_and_c7_compare_svd_with_every_method(ours, expected):
    assert verdict("C2", table("main", *rivals(ours, 1.0))) == expected
    assert verdict("C7", table("multi_domain", *rivals(ours, 1.0))) == expected


def test_c2_tells_a_method_that_the_paper_does_not_compare_apart():
    groups = [*rivals(0.3, 1.0), (0.1, {"method": "camel"})]
    found = judged("C2", tables={"main": table("main", *groups)})
    assert found.verdict == NOT_HELD
    assert found.evidence[0].endswith("alone that the paper compares: held")


def test_c2_is_refuted_by_one_system():
    groups = [*rivals(0.3, 1.0), *rivals(3.0, 1.0, system="duffing")]
    assert verdict("C2", table("main", *groups)) == NOT_HELD
    assert (
        verdict("C2", table("main", *rivals(0.3, 1.0)), table("morse", *rivals(3.0, 1.0, system="morse"))) == NOT_HELD
    )


def test_nothing_is_held_on_part_of_a_table_but_it_can_be_refuted():
    assert verdict("C2", table("main", *rivals(0.3, 1.0), planned=9)) == HELD
    found = judged("C2", tables={"main": table("main", *rivals(0.3, 1.0), planned=10)})
    assert found.verdict == UNDECIDED
    assert "main has 9 of 10 runs" in found.evidence
    assert verdict("C2", table("main", *rivals(3.0, 1.0), planned=10)) == NOT_HELD


@pytest.mark.parametrize(("smaller", "larger", "expected"), [(1.0, 0.1, HELD), (0.1, 1.0, NOT_HELD), (0.3, 0.1, None)])
def test_c3_compares_with_methods_that_are_no_larger(smaller, larger, expected):
    own = 0.3 if expected else (lambda seed: noisy(0.3, seed))
    groups = [(own, {"parameters": 100}), (smaller, {"method": "shift", "parameters": 80})]
    groups.append((larger, {"method": "full_weight", "parameters": 900}))
    assert verdict("C3", table("main", *groups)) == (expected or UNDECIDED)


@pytest.mark.parametrize(("ours", "expected"), CASES)
@pytest.mark.parametrize("where", [{"shots": "5"}, {"steps": "10"}])
def test_c4_looks_at_observations_and_at_steps(ours, expected, where):
    elsewhere = ours if callable(ours) else 0.3
    groups = [*rivals(elsewhere, 1.0, ("shift",)), *rivals(ours, 1.0, ("shift",), **where)]
    assert verdict("C4", table("shots", *groups)) == expected


def test_c3_tells_a_method_that_the_paper_does_not_compare_apart():
    groups = [(0.3, {"parameters": 900}), (1.0, {"method": "shift", "parameters": 800})]
    smaller = (0.1, {"method": "camel", "parameters": 700})
    found = judged("C3", tables={"main": table("main", *groups, smaller)})
    assert found.verdict == NOT_HELD
    assert found.evidence[0].endswith("alone that the paper compares: held")


def test_runs_that_cannot_be_compared_leave_a_claim_undecided_and_say_why():
    found = judged("C7", tables={"multi_domain": table("multi_domain", *rivals(0.3, 1.0), *rivals(0.3, 1.0))})
    assert found.verdict == UNDECIDED
    assert "a comparison takes one run a seed, got two of seed 0" in found.evidence[0]


def test_c4_leaves_levenberg_marquardt_out_and_takes_the_closed_form_in():
    groups = rivals(0.3, 1.0, ("shift",), shots="5")
    beaten = (0.01, {"method": "svd(5)", "adaptation": "levenberg_marquardt", "steps": "10", "shots": "5"})
    assert verdict("C4", table("shots", *groups, beaten)) == HELD
    exact = (0.01, {"method": "camel", "adaptation": "closed_form", "steps": "1", "shots": "5"})
    assert verdict("C4", table("shots", *groups, exact)) == NOT_HELD


def sweep(svd, shift):
    """Errors of two methods that grow by a factor from one setting of the locality weights to the next."""
    groups = []
    for method, factor in (("svd(5)", svd), ("shift", shift)):
        for place, (z, phi) in enumerate(itertools.product(("0.1", "0.01"), repeat=2)):
            groups.append((factor**place, {"method": method, "lambda_z": z, "lambda_phi": phi}))
    return groups


@pytest.mark.parametrize(("svd", "shift", "expected"), [(1.1, 1.5, HELD), (1.5, 1.1, NOT_HELD), (1.5, 1.5, NOT_HELD)])
def test_c5_compares_the_deviation_over_the_sweep(svd, shift, expected):
    assert verdict("C5", table("locality", *sweep(svd, shift))) == expected


def test_c5_is_undecided_where_seeds_disagree():
    """SVD is the steadier one for two seeds, and far from it for the third."""
    runs = []
    for place, (z, phi) in enumerate(itertools.product(("0.1", "0.01"), repeat=2)):
        for seed in SEEDS:
            for method, factor in (("svd(5)", 1.1 if seed else 1.7), ("shift", 1.4)):
                runs.append(run(factor**place, seed, method=method, lambda_z=z, lambda_phi=phi))
    assert verdict("C5", Results("locality", tuple(runs))) == UNDECIDED
    assert verdict("C5", Results("locality", tuple(run for run in runs if run.seed))) == HELD


def test_c5_with_a_setting_missing_is_undecided():
    found = judged("C5", tables={"locality": table("locality", *sweep(1.1, 1.5)[:-1])})
    assert found.verdict == UNDECIDED
    assert "the sweep is not whole" in found.evidence


def test_c5_counts_collapsed_trainings_apart():
    whole = sweep(1.1, 1.3)
    settings = whole[1][1]
    collapsed = [*whole[:1], (50.0, settings), *whole[2:]]
    found = judged("C5", tables={"locality": table("locality", *collapsed)})
    assert found.verdict == judged("C5", tables={"locality": table("locality", *whole)}).verdict == HELD
    assert "pendulum, collapsed trainings, in no deviation below: svd(5) 3 of 12, shift 0 of 12" in found.evidence


def starts(**errors):
    """Errors of evolving and reset codes from the mean and from zero."""
    places = {"mean": ("evolving", "mean"), "zero": ("evolving", "zero"), "reset": ("reset", "mean")}
    places["reset_zero"] = ("reset", "zero")
    return table("initialisation", *((errors[k], {"codes": c, "start": s}) for k, (c, s) in places.items()))


@pytest.mark.parametrize(("mean", "expected"), CASES)
def test_c6_compares_the_two_starts_of_evolving_codes_alone(mean, expected):
    assert verdict("C6", starts(mean=mean, zero=1.0, reset=9.0, reset_zero=0.001)) == expected


@pytest.mark.parametrize(("mean", "expected"), CASES)
def test_c10_compares_with_reset_codes_from_both_starts(mean, expected):
    assert verdict("C10", starts(mean=mean, zero=9.0, reset=1.0, reset_zero=1.0)) == expected
    assert verdict("C10", starts(mean=0.3, zero=9.0, reset=1.0, reset_zero=0.01)) == NOT_HELD


def oscillator(reptile, anil, svd, nms=0):
    kinds = [("reptile", "gnode", reptile), ("anil", "gnode", anil), ("svd(3)", "gnode", svd), ("svd(3)", "nms", nms)]
    return table("dissipative", *(
        (0.1, {"system": "damped_oscillator", "method": method, "dynamics": f"generic({bracket})", "lost": lost})
        for method, bracket, lost in kinds
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("lost", "expected"),
    [((9, 6, 0), HELD), ((9, 0, 0), NOT_HELD), ((9, 9, 1), NOT_HELD), ((9, 3, 0), UNDECIDED), ((9, 9, 0, 5), HELD)],
)
def test_c8_counts_what_diverged(lost, expected):
    assert verdict("C8", oscillator(*lost)) == expected


def test_c8_without_anil_is_undecided():
    whole = oscillator(9, 9, 0)
    assert verdict("C8", whole.those(lambda run: run["method"] != "anil")) == UNDECIDED


def costs(ours, theirs):
    named = {name: [Cost(*ours)] for name in ("svd(5)", "shift", "rank_one", "multi_rank(5)", "full_weight")}
    return named | {name: [Cost(*theirs)] for name in ("maml", "anil", "reptile", "pretrained")}


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [((9, 9.0, 9.0), HELD), ((9, 0.5, 9.0), NOT_HELD), ((9, 9.0, 1.0), NOT_HELD), ((1, 9.0, 9.0), NOT_HELD)],
)
def test_c9_asks_for_less_of_everything(theirs, expected):
    assert verdict("C9", costs=costs((3, 1.0, 1.0), theirs)) == expected


def test_c9_is_undecided_where_only_some_modulations_need_less():
    of = costs((3, 1.0, 1.0), (9, 9.0, 9.0)) | {"full_weight": [Cost(3, 20.0, 1.0)]}
    assert verdict("C9", costs=of) == UNDECIDED
    assert verdict("C9", costs={k: c for k, c in costs((3, 1, 1), (9, 9, 9)).items() if k != "anil"}) == UNDECIDED


@pytest.mark.parametrize(("seconds", "expected"), [((0.5, 0.6), NOT_HELD), ((0.5, 1.5), UNDECIDED)])
def test_c9_is_refuted_only_where_no_seed_speaks_for_it(seconds, expected):
    of = costs((3, 1.0, 1.0), (9, 9.0, 9.0)) | {"maml": [Cost(9, second, 9.0) for second in seconds]}
    assert verdict("C9", costs=of) == expected


def codes(errors, **more):
    groups = [(error, {"modulation": "svd", "code_dim": str(dim)}) for dim, error in errors.items()]
    return verdict("P3.1", table("codes", *groups), **more)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({1: 3.0, 3: 1.0, 6: 1.0}, HELD),
        ({1: 1.0, 3: 1.0, 6: 1.0}, NOT_HELD),  # fewer cost nothing
        ({1: 3.0, 3: 1.0, 6: 0.5}, NOT_HELD),  # more still bring something
        ({1: 3.0, 3: 1.0, 6: lambda seed: noisy(1.0, seed)}, UNDECIDED),
    ],
)
def test_p31_asks_where_the_error_stops_falling(errors, expected):
    assert codes(errors, local_ranks={"pendulum": 3}) == expected


def test_p31_needs_the_local_rank_and_a_run_there():
    assert codes({1: 3.0, 6: 1.0}, local_ranks={"pendulum": 3}) == UNDECIDED
    assert codes({1: 3.0, 3: 1.0}, local_ranks={"morse": 3}) == UNDECIDED
    assert codes({1: 3.0, 2: 1.0, 3: 1.0}, local_ranks={"pendulum": 2}) == HELD


def test_a_single_seed_is_told():
    one = table("main", *rivals(0.3, 1.0)).those(lambda run: run.seed == 0)
    assert any("1 seed, spread over 10 tasks alone" in line for line in judged("C2", tables={"main": one}).evidence)
