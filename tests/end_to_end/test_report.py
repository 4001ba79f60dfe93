"""The report of made-up records: all files of all tables, and a page that needs nothing else."""

from __future__ import annotations

import base64
import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from metastruct.config.published import METRICS
from metastruct.paper.claims import CLAIMS, Finding
from metastruct.paper.layout import LAYOUTS
from metastruct.paper.page import Section, page
from metastruct.paper.plots.look import ticks
from metastruct.paper.report import report
from metastruct.paper.sources import SCRIPTED
from metastruct.runs.tables import as_csv

FIELD, TRAJECTORY = METRICS

VOID = {"meta", "img", "br", "link", "hr"}
SETTINGS = {  # of each table: what its runs differ in
    "main": [
        {"system": s, "method": m} for s in ("pendulum", "duffing") for m in ("svd(5)", "maml", "reptile", "anil")
    ],
    "morse": [{"system": "morse", "method": m} for m in ("svd(5)", "camel")],
    "untuned": [{"system": s, "method": m} for s in ("pendulum", "morse") for m in ("svd(5)", "camel")],
    "dissipative": [
        *({"system": "damped_oscillator", "method": m, "dynamics": "generic(gnode)"} for m in ("svd(3)", "reptile")),
        {"system": "two_gas_containers", "method": "svd(3)", "dynamics": "generic(nms)"},
        *({"system": "damped_chain", "method": "svd(3)", "dynamics": "generic(gnode)",
           "label": f"system.oscillators={n}"} for n in (1, 2)),
    ],
    "shots": [
        *({"method": m, "shots": shots} for m in ("svd(5)", "shift") for shots in ("1", "200")),
        *({"method": m, "steps": "10"} for m in ("svd(5)", "shift")),
        {"method": "camel", "shots": "1", "adaptation": "closed_form", "steps": "1"},
        {"method": "svd(5)", "shots": "1", "adaptation": "levenberg_marquardt", "steps": "20"},
    ],
    "initialisation": [{"codes": c, "start": s} for c in ("evolving", "reset") for s in ("mean", "zero")],
    "locality": [{"method": m, "lambda_z": z} for m in ("svd(5)", "shift") for z in ("0.1", "0.01")],
    "codes": [{"code_dim": str(d)} for d in (1, 3, 6)],
    "ranks": [{"modulation": m, "rank": r} for m in ("svd", "multi_rank") for r in ("1", "3", "8")],
    "parameters": [{"method": m, "label": f"net.width={w}"} for m in ("svd(5)", "shift") for w in (32, 64)],
    "multi_domain": [{"system": "multi_domain", "method": m} for m in ("svd(5)", "camel")],
    "main_job": [{"system": s, "label": f"system={s}"} for s in ("pendulum", "duffing")],
}  # fmt: skip
OTHERS = [{"label": words} for words in ("rank=5", "rank=5 net.depth=2")]  # of a table that the claims do not ask for
DEFAULTS = {"system": "pendulum", "method": "svd(5)", "dynamics": "hamiltonian", "label": "", "shots": "200",
            "steps": "300", "adaptation": "gradient", "start": "mean", "codes": "evolving", "modulation": "svd",
            "code_dim": "3", "rank": "5", "lambda_z": "0.1", "lambda_phi": "0.01", "base_parameters": "800",
            "commit": "abc", "learner": "auto_decoding", "training_steps": "4000", "machine": "2 cores",
            "hypernetwork_parameters": "20", "training_seconds": "4", "training_diverged_at": ""}  # fmt: skip


def write_table(folder, name):
    """Runs and records of two seeds; every task of Reptile has diverged."""
    rng = np.random.default_rng(0)
    lines, rows = [], []
    for number, settings in enumerate(SETTINGS.get(name, OTHERS)):
        for seed in (0, 1):
            line = {"run": f"r{number}-{seed}", "seed": seed} | DEFAULTS | settings
            domains = ("duffing", "pendulum") if name == "multi_domain" else (line["system"],) * 2
            lines.append(line)
            for metric in (FIELD, TRAJECTORY):
                for task, domain in enumerate(domains):
                    lost = line["method"] == "reptile" and metric == TRAJECTORY
                    value = float("nan") if lost else 0.02 * np.exp(rng.normal())
                    rows.append({"run": line["run"], "task": task, "domain": domain, "component": "", "metric": metric,
                                 "value": value})  # fmt: skip
    (folder / name).mkdir(parents=True)
    (folder / name / "runs.csv").write_text(as_csv(lines))
    (folder / name / "records.csv").write_text(as_csv(rows))


class Page(HTMLParser):
    """What a page is made of; complains where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A folder with every table but two, reported: the folder, what was said, the page."""
    folder, said = tmp_path_factory.mktemp("reference"), []
    for name in LAYOUTS:
        if name not in ("morse", "locality"):
            write_table(folder, name)
    (folder / "search").mkdir()
    chosen = {"overrides": ["a=1"], "field_error": 0.1, "trajectory_error": 0.2, "seeds": [0]}
    (folder / "search" / "chosen.json").write_text(json.dumps({"pendulum": {"maml": chosen}}))
    (folder / "long_horizon").mkdir()
    values = dict.fromkeys(("amplitude", "slope", "slope_error", "integrator_error", "trajectory_error"), 0.1)
    values["evaluations_per_period"] = 80.0
    cell = {"run": "r", "integrator": "rk4", "steps_per_period": "20"}
    orbits = [cell | {"metric": metric, "value": value} for metric, value in values.items()]
    (folder / "long_horizon" / "orbits.csv").write_text(as_csv(orbits))
    (folder / "local_rank").mkdir()
    (folder / "local_rank" / "records.csv").write_text("system,metric,value\npendulum,local rank,3 to 3\n")
    (folder / "local_rank" / "table.md").write_text("| system | local rank |\n|---|---|\n| a < b | 3 |\n\nA *note*.\n")
    path = report(folder, said.append)
    return folder, said, Page(path.read_text())


def test_every_table_has_its_files(reported):
    folder, _, _ = reported
    for name in set(LAYOUTS) - {"morse", "locality"}:
        for layout in LAYOUTS[name]:
            for form in ("csv", "md", "tex"):
                assert (folder / name / f"{layout.file}.{form}").stat().st_size
        assert (folder / name / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / name / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_a_table_of_another_kind_has_its_files_too(reported):
    folder, _, shown = reported
    for name, told in (("search", "a=1"), ("long_horizon", "rk4")):
        for form in ("csv", "md", "tex"):
            assert told in (folder / name / f"table.{form}").read_text()
        assert told in shown.text
    assert (folder / "long_horizon" / "long_horizon.pdf").exists()


@pytest.mark.torture
def test_a_second_report_writes_the_same_bytes(reported, tmp_path):
    folder, _, _ = reported
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    report(again, lambda _: None)
    for path in [*folder.rglob("*.*")]:
        assert (again / path.relative_to(folder)).read_bytes() == path.read_bytes(), path.name


def test_missing_tables_are_told_with_their_command(reported):
    _, said, shown = reported
    for command in ("python scripts/reproduce.py table=morse", SCRIPTED["adaptation_cost"][1]):
        assert any(command in line for line in said)
        assert command in shown.text
    assert "main: 16 runs" in said


def test_every_claim_is_told_with_its_verdict(reported):
    folder, said, shown = reported
    told = json.loads((folder / "claims.json").read_text())
    assert [entry["claim"] for entry in told] == [claim.name for claim in CLAIMS]
    assert all(entry["verdict"] in ("held", "not held", "undecided") and entry["evidence"] for entry in told)
    assert (folder / "claims.md").read_text().count("\n") == len(CLAIMS) + 2
    badges = [attrs["class"] for attrs in shown.all("span") if "badge" in attrs.get("class", "")]
    assert len(badges) == len(CLAIMS)
    for claim in CLAIMS:
        assert any(line.startswith(f"{claim.name} ") for line in said)


def test_the_page_stands_alone(reported):
    _, _, shown = reported
    assert not shown.all("script")
    assert not shown.all("link")
    for _, attrs in shown.tags:
        assert not any(str(attrs.get(name, "")).startswith(("http", "//")) for name in ("src", "href", "data"))
    for image in shown.all("img"):
        kind, data = image["src"].split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
        assert image["alt"]


def test_the_page_has_one_heading_and_all_sections_in_its_contents(reported):
    _, _, shown = reported
    assert len(shown.all("h1")) == 1
    assert shown.all("html") == [{"lang": "en"}]
    sections = [attrs["id"] for attrs in shown.all("section")]
    assert sections == ["claims", "evidence", *LAYOUTS, *SCRIPTED]
    links = [attrs["href"] for attrs in shown.all("a")]
    assert links == [*(f"#{claim.name}" for claim in CLAIMS), *(f"#{name}" for name in sections if name != "evidence")]
    assert [attrs["id"] for attrs in shown.all("h3")] == [claim.name for claim in CLAIMS]
    assert len(shown.all("img")) == len(LAYOUTS) - 2 + 1  # and that of the long horizon


def test_the_page_begins_with_the_verdicts_and_their_intervals(reported):
    folder, _, shown = reported
    told = json.loads((folder / "claims.json").read_text())
    effects = [entry["effect"] for entry in told if entry["effect"]]
    drawn = [attrs["aria-label"] for attrs in shown.all("svg") if "aria-label" in attrs]
    assert drawn == ["{ratio:.2f} [{low:.2f}, {high:.2f}]".format(**effect) for effect in effects]
    assert all(effect["low"] <= effect["ratio"] <= effect["high"] for effect in effects)
    assert all(entry["needs"] for entry in told if entry["verdict"] == "undecided")
    names = [name for name, _ in shown.tags]
    assert shown.tags[names.index("table")] == ("table", {"class": "forest"})
    assert names.index("table") < names.index("img")


def test_headings_of_a_table_stand_below_that_of_their_section():
    text = page([], [Section("bodies", "Many bodies", "# Bodies\n\nOf ten.\n\n## Costs\n\n| n |\n|---|\n| 8 |\n")], [])
    assert "<h4>Costs</h4>" in text
    assert '<p class="note">Of ten.</p>' in text
    assert "Bodies" not in text
    assert "#" not in text.partition('<section id="bodies">')[2]


def test_pictures_are_kept_small(reported):
    folder, _, shown = reported
    inside = sum(len(image["src"]) for image in shown.all("img"))
    assert inside < 0.8 * sum(path.stat().st_size for path in folder.rglob("*.png"))


def test_text_of_a_table_is_escaped(reported):
    _, _, shown = reported
    assert "a < b" in shown.text
    assert Page(page([(CLAIMS[0], Finding())], [Section("x", "<b> & c", "| <i> |\n|---|\n| **d** |")], ["<"]))


def test_a_table_whose_records_do_not_fit_is_told_and_the_rest_is_reported(tmp_path):
    write_table(tmp_path, "main")
    write_table(tmp_path, "morse")
    (tmp_path / "main" / "records.csv").write_text("run,task,domain,component,metric,value\n")
    said = []
    report(tmp_path, said.append)
    assert any(line.startswith("main: ") and "must hold field_error of every task" in line for line in said)
    assert (tmp_path / "morse" / "table.md").exists()


def test_an_empty_folder_gives_a_page_of_commands(tmp_path):
    shown = Page(report(tmp_path, lambda _: None).read_text())
    assert not shown.all("img")
    assert "No runs yet." in shown.text


@pytest.mark.parametrize("ends", [(0.64, 0.83), (0.95, 1.2), (0.5, 20), (3, 9), (0.001, 3000), (2000, 45_000)])
def test_logarithmic_axes_have_a_few_round_numbers(ends):
    found = ticks(*ends)
    assert 3 <= len(found) <= 8
    assert all(ends[0] <= value <= ends[1] and len(f"{value:g}") <= 6 for value in found)
