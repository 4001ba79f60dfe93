"""What yamls declare of their pieces: facts that are no settings, laws of values, needs whose refusals tell the way."""

from __future__ import annotations

import re
from dataclasses import is_dataclass

import numpy as np
import pytest

from metastruct.config import schema as config
from metastruct.config.conditions import bounds, fits, holds
from metastruct.config.facts import described, facts_of, options, settings_of
from metastruct.config.schema import ConfigError, groups
from metastruct.data.outline import Outline
from metastruct.data.source import Source
from metastruct.data.trajectory import Member, Trajectory
from metastruct.running.assembly import build_system
from metastruct.running.validation import sites, validate
from metastruct.sweeps.table import configured

CHOICES = [(group, option) for group, every in groups().items() for option in every if group != "experiment"]
CHOICES += [("metric", name) for name in options("metric")]


PIECES = {
    "modulation.name=shift": r"modulation\.name is no setting: modulation=svd has svd, got shift; choose",
    "modulation=multi_rank modulation.name=rank_one": r"modulation\.name is no setting: .*multi_rank has multi_rank",
    "modulation._target_=metastruct.modulation.shift.Shift": r"modulation\._target_ is no setting",
    "learner=maml learner.name=anil": r"learner\.name is no setting: learner=maml",
    "optimizer=adam optimizer.name=sgd": r"optimizer\.name is no setting: optimizer=adam has adam",
    "locality=default locality.name=weak": r"locality\.name is no setting: locality=default",
    "trainer.name=other": r"trainer\.name is no setting",
    "modulation.facts.label=Mine": r"modulation\.facts are no settings",
    "+net.facts.order=1": r"net\.facts are no settings",
    "~net.facts": r"net\.facts are no settings",
}


@pytest.mark.few(5)
@pytest.mark.parametrize("command", PIECES)
def test_a_piece_cannot_be_told_to_be_another_one_nor_its_facts_be_changed(command):
    with pytest.raises(ConfigError, match=PIECES[command]) as refused:
        config.composed(*command.split())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("word", ["modulation.name=shift", "modulation._target_=metastruct.modulation.shift.Shift"])
def test_nor_can_a_piece_of_a_sweep(word):
    configured("modulation=svd", "modulation.scale=0.2")
    with pytest.raises(ConfigError, match="is no setting"):
        configured("modulation=svd", word)


@pytest.mark.parametrize("key", ["name", "_target_"])
def test_nor_a_piece_of_a_configuration_that_is_there(composed, key):
    cfg = composed()
    cfg.modulation[key] = composed("modulation=shift").modulation[key]
    with pytest.raises(ConfigError, match=r"modulation\._?\w+ is no|modulation\.rank is not a setting"):
        validate(cfg)


def test_most_components_have_facts_so_that_they_could():
    assert sum("facts" in described(*choice) for choice in CHOICES) > len(CHOICES) / 2


@pytest.mark.parametrize(("group", "option"), CHOICES)
def test_what_a_yaml_declares_of_its_settings_and_of_others_means_something(composed, group, option):
    facts = facts_of(group, option)
    still = Member((Trajectory(np.zeros(1), np.zeros((1, 1))),) * 2)
    of_themselves = {
        "system": build_system(composed()).provides,
        "data": Source("still", ("q",), [still], [still], 1).provides | Outline(1).provides,
    }
    for setting, law in facts.values.items():
        assert setting in settings_of(group, option)
        if isinstance(law, str):
            assert bounds(law, settings_of(group, option))
    for excluded in facts.excludes:
        assert excluded["because"]
        for setting in set(excluded) - {"because"} - set(settings_of(group, option)) - set(Outline(1).provides):
            other, _, name = setting.partition(".")
            assert any(name in settings_of(other, piece) for piece in options(other))
    for entry in facts.ignores:
        assert entry["because"]
        assert set(entry) <= {"settings", "where", "because"}
        assert set(entry.get("where", {})) <= set(settings_of(group, option))
        for setting in entry["settings"]:
            other, _, name = setting.partition(".")
            schema = getattr(config.Config(), other, None)
            known = (
                [*vars(schema)] if is_dataclass(schema) else [k for o in options(other) for k in settings_of(other, o)]
            )
            assert not name or name in known
    for other, need in facts.needs.items():
        assert other in groups()
        for word in set(need) - {"what"}:
            declared = () if other == "system" else (facts_of(other, name).provides for name in options(other))
            assert any(word in words for words in (of_themselves.get(other, {}), *declared))


def test_a_fact_that_means_nothing_is_refused(monkeypatch):
    facts_of.cache_clear()
    monkeypatch.setattr("metastruct.config.facts.described", lambda group, name: {"facts": {"lable": "SVD"}})
    with pytest.raises(ValueError, match=r"conf/modulation/svd\.yaml has the fact lable, which is not known; .*label"):
        facts_of("modulation", "svd")
    facts_of.cache_clear()


@pytest.mark.parametrize(
    ("law", "inside", "outside"),
    [("at least 2", 2, 1), ("above 0", 1e-9, 0), ("0 or more", 0, -1), ("0 or more and below 1", 0.5, 1),
     ("below 2^63", 2**63 - 1, 2**63), ("above 0 and at most 4", 4, 4.1), ("at most damping", 0.5, 0.6)],
)  # fmt: skip
def test_a_law_is_what_its_words_say(law, inside, outside):
    assert all(bound(inside) for bound in bounds(law, {"damping": 0.5}))
    assert not all(bound(outside) for bound in bounds(law, {"damping": 0.5}))


def test_a_law_in_other_words_is_refused():
    with pytest.raises(ValueError, match="joined by `and`, got 'up to 3'"):
        bounds("at least 1 and up to 3")
    with pytest.raises(ValueError, match="damping"):
        bounds("at most damping")


REFUSED = [
    *("dynamics=generic", "integrator=leapfrog", "net=separable dynamics=unstructured", "modulation=output_weights"),
    *("adaptation=closed_form system=damped_oscillator", "adaptation=closed_form", "learner=maml adaptation=gradient"),
    *("learner=anil modulation=weights", "integrator=energy_projection dynamics=unstructured"),
]


@pytest.mark.few(1)
@pytest.mark.parametrize("command", REFUSED)
def test_every_way_that_a_refusal_offers_is_accepted(composed, command):
    with pytest.raises(ConfigError) as refused:
        validate(composed(*command.split()))
    ways = re.findall(r"use (\w+)=(\w+(?: or \w+)*)", str(refused.value))
    assert ways
    for group, names in ways:
        others = [word for word in command.split() if not word.startswith(f"{group}=")]
        for name in names.split(" or "):
            validate(composed(*others, f"{group}={name}"))


def test_sites_that_a_yaml_takes_are_taken_as_far_as_a_net_has_them(composed, monkeypatch):
    """Such as those of a net without hidden layers; where it has none of them, or others were asked for, not."""
    whole = sites.sites
    monkeypatch.setattr(
        sites, "sites", lambda *piece: ["input", "output"] if piece == ("net", "mlp") else whole(*piece)
    )
    for accepted in ("learner=maml", "modulation=camel", "modulation.tags=[input]"):
        validate(composed(*accepted.split()))
    for refused in ("modulation=svd", "learner=maml modulation.tags=[input,hidden]"):
        with pytest.raises(ConfigError, match=r"modulation\.tags holds hidden"):
            validate(composed(*refused.split()))


@pytest.mark.parametrize("separable", [["input", "hidden"], ["input", "output"]])
def test_no_refusal_offers_a_net_without_the_sites_that_the_modulation_takes(composed, monkeypatch, separable):
    whole = sites.sites
    monkeypatch.setattr(sites, "sites", lambda *piece: separable if piece == ("net", "separable") else whole(*piece))
    with pytest.raises(ConfigError) as refused:
        validate(composed("integrator=leapfrog"))
    assert ("separable" in str(refused.value).partition("use net=")[2]) == ("hidden" in separable)


def test_the_default_of_a_group_is_offered_where_sites_are_missing(composed, monkeypatch):
    whole = sites.sites
    monkeypatch.setattr(sites, "sites", lambda *piece: ["input"] if piece == ("net", "separable") else whole(*piece))
    with pytest.raises(ConfigError, match=r"holds hidden, which net=separable .*; use net=mlp, or some of input"):
        validate(composed("net=separable"))


TOO_LARGE = {
    "net.width=1000000": "the net would take [0-9,]+ GiB, this machine has .*; lower net.width",
    "data.train_tasks=1000000000": "the simulated data would take .* GiB, .*; lower data.train_tasks",
    "learner.point_batch=1000000000": "a batch would take .*; lower learner.point_batch",
    "modulation.code_dim=1000000000": "the hyper-network would take .*; lower modulation.code_dim",
    "modulation.hidden=1000000000": "the hyper-network would take .*; lower modulation.code_dim or modulation.hidden",
}
TOO_LONG = {
    "trainer.steps=200000000": "would be 200,000,000 gradient steps, 2.3 days at 1,000 a second",
    "trainer.seconds=200000": "trainer.seconds must be at most 86,400, got 200,000; lower it",
    "learner=maml learner.inner_steps=10000": "with learner.inner_steps=10000 would be 120,000,000 gradient",
    "optimizer=adam learner.schedule=alternating learner.inner_steps=9999 learner.outer_steps=1": "be 120,000,000 gr",
    "adaptation=gradient adaptation.steps=1000000 replicas=100": "replicas=100 with adaptation.steps=1000000 would be",
    "learner=scratch replicas=50000": "replicas=50000 with adaptation.steps=2000 would be 100,000,000 gradient steps",
}


@pytest.mark.parametrize("words", TOO_LONG)
def test_steps_of_a_training_beyond_the_limit_are_refused_until_it_is_raised(composed, words):
    with pytest.raises(ConfigError, match=rf"{TOO_LONG[words]}.*raise trainer\.work$"):
        validate(composed(*words.split()))
    validate(composed(*words.split(), "trainer.work=3"))


def test_steps_that_nothing_repeats_are_counted_once(composed):
    validate(composed("learner.inner_steps=10000", "optimizer=adam"))
    validate(composed("adaptation.steps=1000000", "replicas=100"))  # which end by themselves


def test_steps_of_a_rollout_beyond_the_limit_are_refused_until_it_is_raised(composed):
    words = "integrator.step_size=1e-5", "trainer.steps=2"
    with pytest.raises(ConfigError, match=r"into at most 500,000 steps, got 1e-05, .*, or raise trainer\.work$"):
        validate(composed(*words))
    validate(composed(*words, "trainer.work=3"))


@pytest.mark.parametrize("command", TOO_LARGE)
def test_what_no_machine_could_hold_is_refused_with_the_number(composed, command):
    with pytest.raises(ConfigError, match=TOO_LARGE[command]):
        validate(composed(command))


@pytest.mark.parametrize(
    ("value", "condition", "expected"),
    [
        (2, "at least 2", True), (1, "at least 2", False), (3, "odd", True), (4, "odd", False), (4, "even", True),
        (6, "a multiple of 2 x dimension", True), (7, "a multiple of 2 x dimension", False),
        (12, "a multiple of dimension x shape", True), (10, "a multiple of dimension x shape", False),
        (7, "a multiple of unknown", True), ("${rank}", "at least 2", True), ("${rank}", "word", False),
        ("word", "word", True), ("word", ["word", "other"], True), ("third", ["word", "other"], False),
        (["word"], "word", True), (["third"], "word", False), ([], "word", False), ([0, 7], "at least 2", True),
        (["word"], ["word", "other"], True), (["third", "word"], ["word", "other"], False), ([], ["word"], True),
        (None, True, False), ([], True, False), ([1.0], True, True), (None, False, True), (True, True, True),
        (False, True, False), (False, 0, True), (None, None, True),
    ],
)  # fmt: skip
def test_a_condition_is_what_its_words_say(value, condition, expected):
    assert fits(value, condition, {"dimension": 3, "shape": [2, 2]}) == expected


def test_of_alternatives_one_is_enough_and_of_conditions_all_are_needed():
    settings = {"mass": "constant", "friction": "none"}
    assert holds([{"mass": "full"}, {"friction": "none"}], settings)
    assert not holds({"mass": "full", "friction": "none"}, settings)
    assert not holds([{"mass": "full"}], settings)
    assert holds({}, settings)
