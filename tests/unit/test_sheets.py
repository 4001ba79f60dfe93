"""Tables: what their cells say, who is best, what stands beside, and their forms."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest

from metastruct.config.facts import metric_facts
from metastruct.config.published import METRICS
from metastruct.paper import forms
from metastruct.paper.layout import LAYOUTS
from metastruct.paper.methods import named
from metastruct.paper.results import Result, Results
from metastruct.paper.sheet import Cell, Sheet, short, shown

FIELD, TRAJECTORY = METRICS

NAN = float("nan")


def run(error, seed=0, trajectories=None, domains=None, **settings):
    """A run whose tasks have these errors, or one error."""
    values = np.full(2, error) if np.isscalar(error) else np.array(error, float)
    described = {"run": "r", "seed": str(seed), "label": "", "base_parameters": "8000", "training_seconds": "40"}
    described |= {"hypernetwork_parameters": "12", "system": "pendulum", "method": "svd(5)", "dynamics": "hamiltonian"}
    described |= {
        "learner": "auto_decoding",
        "training_steps": "4000",
        "commit": "abc",
        "adaptation": "gradient",
        "steps": "300",
        "shots": "200",
    }
    errors = {FIELD: values, TRAJECTORY: values if trajectories is None else np.array(trajectories, float)}
    return Result(described | settings, errors, domains or ("pendulum",) * len(values))


def sheet(name, *runs, which=0):
    return Sheet.of(Results(name, runs), LAYOUTS[name][which])


def test_a_cell_holds_spread_over_seeds_of_means_over_tasks():
    cell = Cell.of(Results("main", (run([0.01, 0.03]), run([0.03, 0.05], seed=1))))
    assert cell.errors[FIELD] == pytest.approx((0.03, np.sqrt(2) * 0.01))
    assert cell.medians == pytest.approx({FIELD: 0.03, TRAJECTORY: 0.03})
    assert str(cell) == "3.00 ± 1.41 / 3.00 ± 1.41"
    assert (cell.seeds, cell.diverged, cell.tasks) == (2, 0, 4)


def test_a_cell_of_a_domain_counts_its_tasks_alone():
    both = run([0.01, 0.5, 0.02], trajectories=[0.01, NAN, 0.03], domains=("pendulum", "duffing", "pendulum"))
    pendulum, duffing = (Cell.of(Results("multi_domain", (both,)), name) for name in ("pendulum", "duffing"))
    assert pendulum.medians == pytest.approx({FIELD: 0.015, TRAJECTORY: 0.02})
    assert (pendulum.diverged, pendulum.tasks) == (0, 2)
    assert (duffing.diverged, duffing.tasks) == (1, 1)
    assert duffing.medians == {FIELD: 0.5, TRAJECTORY: np.inf}
    assert str(duffing) == "50.0 / - (1 of 1 diverged)"


def test_columns_of_several_domains_stand_beside_their_whole():
    both = run([0.01, 0.03], domains=("pendulum", "duffing"))
    made = sheet("multi_domain", both)
    assert made.columns == ["together", "pendulum", "duffing"]
    assert made.cells[("svd(5)", "gradient"), "duffing"].errors[FIELD][0] == 0.03


def test_the_best_of_each_column_has_the_lowest_trajectory_error_and_no_diverged_task():
    made = sheet(
        "main",
        run(0.02),
        run(0.01, method="shift"),
        run(0.03, method="camel", system="duffing"),
        run([0.01, 0.01], trajectories=[0.001, NAN], method="maml"),
        run(0.05, system="duffing"),
    )
    assert made.best() == {(("shift",), "pendulum"), (("camel",), "duffing")}


def test_a_setting_without_rivals_is_not_the_best():
    assert not sheet("main", run(0.02)).best()
    chain = {"system": "damped_chain", "dynamics": "generic(gnode)", "method": "svd(3)"}
    runs = [run(0.02, label=f"system.oscillators={n}", **chain) for n in (1, 2)]
    assert not sheet("dissipative", *runs).best()


def test_ways_to_adapt_are_rivals_at_the_same_number_of_observations():
    runs = [
        run(0.02, shots="5"),
        run(0.01, shots="5", method="camel", adaptation="closed_form", steps="1"),
        run(0.03, shots="5", adaptation="levenberg_marquardt", steps="20"),
        run(0.001, steps="10"),  # of the other table
    ]
    made = sheet("shots", *runs)
    assert made.best() == {(("pendulum", "camel", "closed_form"), "5")}
    assert made.columns == ["5"]
    assert sheet("shots", *runs, which=1).columns == ["10"]


def test_numeric_columns_are_in_order():
    runs = [run(0.1, shots=shots, method=method) for method, shots in (("svd(5)", "100"), ("shift", "5"))]
    assert sheet("shots", *runs).columns == ["5", "100"]


def test_the_papers_numbers_stand_beside_the_setting_that_it_used():
    text = forms.markdown(sheet("main", run(0.02), run(0.01, system="morse"), run(0.3, method="anil")))
    assert text.count("published 4.62 / 5.33") == 1
    assert text.count("*(published") == 1
    oscillator = {"system": "damped_oscillator", "method": "svd(3)"}
    runs = [run(0.02, dynamics=f"generic({bracket})", **oscillator) for bracket in ("nms", "gnode")]
    runs.append(
        run(0.02, dynamics="generic(gnode)", system="damped_chain", method="svd(3)", label="system.oscillators=2")
    )
    lines = forms.markdown(sheet("dissipative", *runs)).splitlines()
    assert [line for line in lines if "0.142, scale not stated" in line] == [
        line for line in lines if "damped_oscillator |  | generic(gnode)" in line
    ]
    assert "published" not in forms.markdown(sheet("ranks", run(0.02, modulation="svd", rank="5")))


def test_a_table_of_several_commits_warns():
    one, two = "1234567890abcdef", "fedcba0987654321-dirty"
    told = " ".join(sheet("main", run(0.1, commit=one), run(0.1, seed=1, commit=two)).notes)
    assert "Warning: the runs of this table come from 2 commits: 1234567890, fedcba0987-dirty." in told
    assert "Warning" not in " ".join(sheet("main", run(0.1, commit=one)).notes)
    assert short("unknown") == "unknown"


def test_notes_tell_how_many_seeds():
    assert "over 1 seed of" in sheet("main", run(0.1)).notes[0]
    assert "over 1 to 2 seeds of" in sheet("main", run(0.1), run(0.1, seed=1), run(0.2, method="maml")).notes[0]


def test_csv_has_every_digit():
    (line,) = csv.DictReader(io.StringIO(forms.csv(sheet("main", run([1 / 3, 1 / 3])))))
    assert float(line["field_error"]) == 1 / 3
    assert line["published"] == "4.62 / 5.33"
    assert (line["parameters"], line["training_seconds"]) == ("8012", "40.0")


def test_latex_is_balanced_and_escaped():
    rows = [run(0.01, lambda_z=z, lambda_phi=phi, method=method) for z in ("0.1", "0.01") for phi in ("1e-3", "1e-4")
            for method in ("rank_one", "svd(5)")]  # fmt: skip
    for made in (
        sheet("locality", *rows),
        sheet("main", *rows[:1], run([0.1, 0.1], trajectories=[NAN, 1], system="mass_spring")),
    ):
        text = forms.latex(made)
        stack = []
        for word, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
            if word == "begin":
                stack.append(name)
            else:
                assert stack.pop() == name
        assert not stack
        assert text.count("{") == text.count("}")
        assert not re.search(r"(?<!\\)[_%&#](?!\{)", re.sub(r" & |\$[^$]*\$", "", text))
        body = [line for line in text.splitlines() if line.endswith(r"\\")]
        columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1]
        assert {line.count(" & ") + 1 for line in body} == {len(columns)}
    assert r"$\lambda_{\phi}$ 0.001" in forms.latex(
        sheet("locality", *rows)
    ) or r"$\lambda_{\phi}$ 1e-3" in forms.latex(sheet("locality", *rows))
    assert r"mass\_spring" in text


@pytest.mark.parametrize(
    ("mean", "deviation", "text"), [(0.0111, 0.003, "1.11 ± 0.30"), (0.9913, NAN, "99.1"), (NAN, NAN, "-")]
)
def test_errors_are_shown_in_hundredths(mean, deviation, text):
    assert shown(metric_facts(FIELD), mean, deviation) == text


def test_methods_have_the_names_of_the_paper():
    assert [named(name) for name in ("svd(5)", "multi_rank(3)", "full_weight", "new")] == [
        "SVD(5)",
        "MR(3)",
        "FW",
        "new",
    ]


def test_a_table_that_asks_for_other_errors_shows_those_and_the_last_decides():
    asked = (FIELD, TRAJECTORY, "ssim")
    rows = [
        Result(made.settings, {name: np.array(values[name]) for name in asked}, made.domains)
        for made, values in (
            (run(0.1), {FIELD: [0.01, 0.03], TRAJECTORY: [0.1, 0.1], "ssim": [0.9, 0.92]}),
            (run(0.1, method="shift"), {FIELD: [0.5, 0.5], TRAJECTORY: [0.01, 0.01], "ssim": [0.5, 0.5]}),
        )
    ]
    made = sheet("main", *rows)
    assert str(made.cells[("svd(5)",), "pendulum"]) == "2.00 / 10.0 / 0.9100"
    assert made.best() == {(("svd(5)",), "pendulum")}  # the highest SSIM, though not the lowest trajectory error
    assert "field (x 1e-2) / trajectory (x 1e-2) / SSIM: " in made.notes[0]
    assert "the best SSIM of a column" in made.notes[0]
    line = next(csv.DictReader(io.StringIO(forms.csv(made))))
    assert float(line["ssim_median"]) == pytest.approx(0.91)
    assert not made.beside  # the paper has other errors
