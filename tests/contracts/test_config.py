"""Every yaml of conf/ composes and is accepted; every mistake is refused by a message that names its key."""

from __future__ import annotations

import re

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from metastruct.config.facts import CONF, settings_of
from metastruct.config.folders import yaml_of
from metastruct.config.mistakes import closest
from metastruct.config.schema import (
    ConfigError,
    composed,
    drop_unused_rank,
    dynamics_name,
    groups,
    method_name,
    takes_rank,
)
from metastruct.running.validation import adapted_by, best_adaptation, validate
from metastruct.running.validation.laws import check_laws
from metastruct.sweeps.table import configured
from metastruct.systems.pendulum import Pendulum

CHOICES = [(group, option) for group, options in groups().items() for option in options]
RANKED = [name for name in groups()["modulation"] if "${rank}" in yaml_of("modulation", name).read_text()]
RANKLESS = sorted(set(groups()["modulation"]) - set(RANKED))


@pytest.fixture(autouse=True)
def no_wandb_settings(monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def numbers_in(node, path=()):
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    here = [path] if isinstance(node, int | float) and not isinstance(node, bool) else []
    return [*here, *(leaf for key, value in pairs for leaf in numbers_in(value, (*path, key)))]


@pytest.mark.few(1)
@pytest.mark.parametrize(("group", "option"), [("modulation", "svd"), *(c for c in CHOICES if c[0] == "optimizer")])
def test_an_integer_that_no_machine_holds_is_refused_in_every_place(composed, accepted, group, option):
    whole = OmegaConf.to_container(composed(*accepted(group, option)), resolve=True)
    places = numbers_in(whole)
    assert len(places) > 30
    for path in places:
        for value in (2**63, -(2**63) - 1, 10**400, -(10**400)):
            changed = OmegaConf.create(whole)
            OmegaConf.update(changed, "".join(f"[{key}]" for key in path), value)
            with pytest.raises(ConfigError, match=r"^[^\n]+$"):
                check_laws(changed)


def test_there_is_something_to_choose_in_every_group():
    elsewhere = {"table", "launcher", "metric"}  # chosen by the words of sweeps and by evaluation.metrics
    assert {group for group, _ in CHOICES} == {path.name for path in CONF.iterdir() if path.is_dir()} - elsewhere
    assert len(RANKED) > 0
    assert len(RANKLESS) > 0


@pytest.mark.parametrize(("group", "option"), CHOICES)
def test_every_yaml_is_named_as_its_file(group, option):
    described = OmegaConf.load(yaml_of(group, option))
    assert described.get("name", option) == option
    if "_target_" in described:
        assert "name" in described


@pytest.mark.few(5)
@pytest.mark.parametrize(("group", "option"), CHOICES)
def test_every_single_choice_composes_and_is_accepted(composed, accepted, group, option):
    cfg = composed(*accepted(group, option))
    if group != "experiment":
        assert cfg[group].name == option
    settings = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert "facts" not in str(settings)


MISTAKES = {
    # wrong type
    "net.width=wide": r"net\.width must be an integer",
    "net.width=1.5": r"net\.width must be an integer",
    "net.width=true": r"net\.width must be an integer",
    "net.width=null": r"net\.width must be an integer",
    "net.activation=3": r"net\.activation must be a word",
    "modulation.tags=hidden": r"modulation\.tags must be a list",
    "system=cart_pole dynamics.angles=1": r"dynamics\.angles must be a list",
    "modulation.scale=large": r"modulation\.scale must be a number",
    "modulation.nonnegative=1": r"modulation\.nonnegative must be true or false",
    "modulation.rank=many": r"modulation\.rank must be an integer",
    "learner.task_batch=some": r"learner\.task_batch must be an integer",
    "integrator.step_size=[1]": r"integrator\.step_size must be a number",
    "adaptation=gradient adaptation.learning_rate=fast": r"adaptation\.learning_rate must be a number",
    "system.parameters.m=3": r"system\.parameters\.m must be a list",
    # what may be left out, and lists
    "objective=rollout objective.substeps=abc": r"objective\.substeps must be at least 1 .*, a whole number, got 'abc'",
    "objective=weak objective.half_width=1.5": r"objective\.half_width must be at least 1, a whole number, got 1\.5",
    "objective=rollout objective.substeps=true": r"objective\.substeps must be .*, got True",
    "objective=rollout objective.substeps={a:1}": r"objective\.substeps must be .*, got \{'a': 1\}",
    "system=kdv net.shape=abc": r"net\.shape must be a list of numbers, each at least 1, a whole number, got 'abc'",
    "system=kdv net.shape=[16,1.5]": r"net\.shape must be at least 1, a whole number, got 1\.5",
    "system=cart_pole known=constants known.mass=[[nan,0],[0,1]]": r"known\.mass must be a number, got nan",
    "system=cart_pole known=constants known.weights=abc": r"known\.weights must be a list of numbers, .*got 'abc'",
    "system=cart_pole dynamics.shared=[drive,mass]": r"dynamics\.shared must hold .* in this order, .*'mass', 'drive'",
    "evaluation.metrics=[{a:1}]": r"evaluation\.metrics must name each metric once",
    # rates and weights
    "integrator.step_size=1e9": r"integrator\.step_size must be at most data\.horizon = 10, got 1e\+09; lower it",
    "optimizer=soap optimizer.every=10000": r"optimizer\.every must be at least 1 and at most 1000, got 10000",
    "optimizer.base_rate=5": r"optimizer\.base_rate must be above 0 and at most 1, got 5",
    "learner=reptile optimizer.base_rate=5": r"optimizer\.base_rate must be above 0 and at most 2, got 5",
    "optimizer.warmup=560": r"optimizer\.warmup must be below trainer\.steps = 560, got 560; lower it",
    # rank
    "rank=0": "rank must be at least 1, got 0",
    "rank=-1": "rank must be at least 1, got -1",
    "modulation.rank=0": "rank must be at least 1, got 0",
    # sizes
    "shots=0": "shots must be at least 1",
    "shots=1001": "shots must be at most 1000",
    "data.points=10": "shots must be at most 50",
    "data.points=1": r"data\.points must be at least 2",
    "data.support_trajectories=10": r"data\.support_trajectories must be from 1 to .* 9",
    "data.support_trajectories=0": r"data\.support_trajectories",
    "data.train_tasks=0": r"data\.train_tasks must be at least 1",
    "data.test_tasks=0": r"data\.test_tasks must be at least 1",
    "data.horizon=0": r"data\.horizon must be at least 1e-9",
    "data.tolerance=-1": r"data\.tolerance must be at least 1e-13",
    "learner.task_batch=0": r"learner\.task_batch must be at least 1",
    "data.noise=-0.1": r"data\.noise must be 0 or more and at most 10, got -0\.1",
    "data.noise=nan": r"data\.noise must be 0 or more",
    "data.noise=inf": r"data\.noise must be 0 or more",
    "data.noise=0.05": "gauss_newton needs exact observations, .* use optimizer=adam or .*soap$",
    "objective=weak optimizer=gauss_newton data.noise=0.01": "gauss_newton needs exact observations",
    # finite and endless
    "data.noise=11": r"data\.noise must be 0 or more and at most 10, got 11",
    "data.tolerance=1.5": r"data\.tolerance must be at least 1e-13 and at most 1, got 1\.5",
    "data.horizon=1e9 integrator.step_size=1e6": r"data\.horizon must be at least 1e-9 and at most 100000",
    "data.horizon=20000": r"step_size must divide data\.horizon = 20000 into at most 500,000 steps, got 0\.02, which",
    "integrator.step_size=1e-300": r"integrator\.step_size must divide data\.horizon = 10 .*; raise it, lower data",
    "integrator=gauss_legendre integrator.step_size=1e-6": r"integrator\.step_size must divide data\.horizon = 10 into",
    "adaptation.steps=1000001": r"adaptation\.steps must be at least 1 and at most 1000000",
    "evaluation.steps=1000001": r"evaluation\.steps must be at least 1 and at most 1000000",
    "evaluation.grid=1001": r"evaluation\.grid must be at least 11 and at most 1000",
    "learner.schedule=alternating learner.inner_steps=10001": r"inner_steps must be at least 1 and at most 10000",
    "learner=maml learner.inner_steps=10001": r"inner_steps must be at least 1 and at most 10000",
    "trainer.threads=1025": r"trainer\.threads must be 0 or more and at most 1024",
    "optimizer.least_damping=2e-3": r"least_damping must be above 0 and at most damping = 0\.001, got 0\.002",
    "optimizer.damping=1e-6": r"least_damping must be above 0 and at most damping = 1e-06, got 1e-05",
    "learner.point_batch=0": r"learner\.point_batch must be at least 1",
    "learner.inner_steps=0": r"learner\.inner_steps must be at least 1",
    "learner.outer_steps=0": r"learner\.outer_steps must be at least 1",
    "trainer.steps=0": r"trainer\.steps must be at least 1",
    "trainer.steps_per_epoch=0": r"trainer\.steps_per_epoch must be at least 1",
    "trainer.threads=-1": r"trainer\.threads must be 0 or more",
    "trainer.checkpoint_seconds=-1": r"trainer\.checkpoint_seconds must be 0 or more",
    "evaluation.steps=0": r"evaluation\.steps must be at least 1",
    "evaluation.grid=10": r"evaluation\.grid must be at least 11",
    "evaluation.box_scale=0": r"evaluation\.box_scale must be above 0",
    "modulation.code_dim=0": r"modulation\.code_dim must be at least 1",
    "modulation.hidden=-1": r"modulation\.hidden must be 0 or more",
    "net.width=0": r"net\.width must be at least 1",
    "net.depth=0": r"net\.depth must be at least 1",
    "optimizer.base_rate=nan": r"optimizer\.base_rate must be above 0",
    "optimizer.code_rate=inf": r"optimizer\.code_rate must be above 0",
    "optimizer.warmup=-1": r"optimizer\.warmup must be 0 or more",
    "optimizer.beta2=1": r"optimizer\.beta2 must be",
    "locality.lambda_z=-1": r"locality\.lambda_z must be 0 or more",
    "locality.lambda_phi=-1": r"locality\.lambda_phi must be 0 or more",
    "integrator.step_size=0": r"integrator\.step_size must be above 0",
    "adaptation=gradient adaptation.learning_rate=0": r"adaptation\.learning_rate must be above 0",
    "adaptation.steps=0": r"adaptation\.steps must be at least 1",
    "seed=-1": "seed must be 0 or more",
    "seed=100000000000000000000": "seed must be",
    "data.seed=-1": r"data\.seed must be 0 or more",
    # learners
    "modulation=weights": "got modulation=weights.* use learner=maml or pretrained or reptile or scratch, or use modul",
    "modulation=output_weights": "got modulation=output_weights.*; use learner=anil, or use modulation=svd",
    "adaptation=fine_tuning": "fine_tuning needs .* got modulation=svd .*; use adaptation=leven",
    # words
    "learner.schedule=jiont": r"learner\.schedule must be one of joint, alternating.*write joint",
    "learner.codes=reset": r"learner\.codes=reset with learner\.schedule=joint makes no sense: joint .*; change one",
    "learner.codes=reseted": r"learner\.codes must be one of .*write reset",
    "evaluation.start=maen": r"evaluation\.start must be one of .*write mean",
    "trainer.accelerator=tpu": r"trainer\.accelerator must be one of auto, cpu, cuda",
    "logger.mode=ofline": r"logger\.mode must be one of .*write offline",
    "net.activation=gelu": r"net\.activation must be one of .*silu",
    "modulation.tags=[hiden]": r"modulation\.tags must be a list of input, hidden, output",
    "modulation.tags=[hidden,5]": r"modulation\.tags must be a list of input, hidden, output",
    "modulation.tags=[hidden,hidden]": r"modulation\.tags must name each kind of site once, .*; use \['hidden'\]",
    "modulation.shift_tags=[output]": r"must name each kind of site that has an offset once, .*'output'.; use \[\]",
    "system=damped_oscillator modulation.shift_tags=[input,bracket]": r"that has an offset once, .*; use \['input'\]",
    "modulation.tags=[hidden,input]": r"modulation\.tags must name .* in their order, .*; use \['input', 'hidden'\]",
    "modulation.shift_tags=[hidden,input,hidden]": r"shift_tags must name each .*; use \['input', 'hidden'\]",
    "system=damped_oscillator modulation.tags=[bracket,hidden]": r"tags must name .*; use \['hidden', 'bracket'\]",
    "modulation.shift_tags=[nput]": r"modulation\.shift_tags must be a list of input, hidden, output",
    "logger.mode=online": r"logger\.mode=online needs an API key",
    # the system
    "system.parameters.m=[2,1]": r"system\.parameters: .*low <= high",
    "system.parameters.m=[1]": r"system\.parameters: ",
    "system.parameters.m=[1,nan]": r"system\.parameters: .*low <= high",
    "system.parameters.m=[a,b]": r"system\.parameters: ",
    "+system.parameters.z=[1,2]": r"system\.parameters: pendulum has the parameters m, l, q0",
    "~system.parameters.m": r"system\.parameters",
    # the starts
    "start=in_box start.box=[[-1,1]]": r"start\.box must hold a pair \[low, high\] for each of q, p of pendulum, got 1",
    "start=in_box start.box=[[1,-1],[-1,1]]": r"start\.box must be .* low <= high, got \[\[1, -1\], \[-1, 1\]\]",
    "start=in_box start.box=[[-1,nan],[-1,1]]": r"start\.box must be a list of \[low, high\] pairs of finite numbers",
    "start=in_box start.box=[[-1,1],[-1,inf]]": r"start\.box must be a list of \[low, high\] pairs of finite numbers",
    "start=in_box start.box=[[-1,1],[-1,1,2]]": r"start\.box must be a list of \[low, high\] pairs",
    "start=in_box start.box=[[a,b],[-1,1]]": r"start\.box must be a list of \[low, high\] pairs of finite numbers",
    "start=in_box start.box=[-1,1]": r"start\.box must be a list of \[low, high\] pairs of finite numbers",
    "start=in_box start.box=3": r"start\.box must be a list",
    "start=in_box start.box=[[-1,1],[2,2]]": r"start\.box must be wider than a point in p, which the evaluation grid",
    "start=given start.states=[[0,1],[1,0]]": r"start\.states must hold 10 states, .* got 2; .* use start\.cycle=true",
    "start=given start.states=[[0,1,2]]": r"each state of start\.states must hold a number for each of q, p .*, got 3",
    "start=given start.states=[[0,1],[1]]": r"start\.states must be a list of states of finite numbers",
    "start=given start.states=[]": r"start\.states must be a list of states of finite numbers, got \[\]",
    "start=given start.states=[[0,1],[0,2]] start.cycle=true": r"start\.box .* must be wider than a point in q",
    "start=under_cap system=van_der_pol": r"start=under_cap needs .* a cap of it.*van_der_pol.* leave start out",
    "start=under_cap system=lotka_volterra": r"start=under_cap needs .* cap of it.*lotka.* use start=given or in_box",
    "start=under_cap +start.cap=1": r"start\.cap is not a setting",
    # the adaptation
    "adaptation=closed_form": r"closed_form needs .* affine .* got modulation=svd; use adaptation=levenberg_marquardt",
    "modulation=camel modulation.hidden=4": r"closed_form needs .*camel .*hidden 0.*; use adaptation=leven",
    "modulation=camel modulation.tags=[hidden]": r"closed_form needs .*tags \[output\]",
    "adaptation=levenberg_marquardt adaptation.tolerance=0": r"adaptation\.tolerance must be above 0",
    "adaptation=levenberg_marquardt adaptation.damping=-1": r"adaptation\.damping must be above 0",
    "adaptation=levenberg_marquardt adaptation.starts=-1": r"adaptation\.starts must be 0 or more",
    "adaptation=levenberg_marquardt adaptation.steps=0": r"adaptation\.steps must be at least 1",
    "dynamics=generic": r"generic needs a metriplectic system, .* .*conservative.*; use dynamics=hamil",
    "system=lorenz dynamics=generic": r"generic needs a metriplectic .*general.*; use dynamics=unstructured",
    "system=van_der_pol dynamics=hamiltonian": r"canonical .*van_der_pol.*general.*; use dynamics=unstructured",
    "system=damped_oscillator dynamics=hamiltonian": r"canonical .*metriplectic.*; use dynamics=gen",
    "bracket=nms": r"bracket=nms needs a dynamics of two brackets, got dynamics=hamiltonian; leave bracket out",
    "system=damped_oscillator ~bracket": r"dynamics=generic needs a bracket, got no.*use bracket=gnode or nms",
    "system=damped_oscillator bracket.rank=0": r"bracket\.rank must be at least 1",
    "system=damped_oscillator bracket.rank=two": r"bracket\.rank must be an integer",
    "system=damped_chain system.oscillators=0": r"system\.oscillators must be at least 1",
    "modulation.tags=[bracket]": r"modulation\.tags holds bracket, .* use dynamics=generic",
    "integrator=leapfrog": r"leapfrog needs a potential T\(p\) \+ V\(q\), got net=mlp; .*use net=separable",
    "integrator=leapfrog dynamics=unstructured": r"integrator=leapfrog needs .*; use integrator=rk4",
    "integrator=energy_projection dynamics=unstructured": r"energy_proj.* needs .*use dynamics=hamil",
    "net=separable dynamics=unstructured": r"net=separable .* dynamics=unstructured; use net=mlp, or use",
}


def with_others(pattern: str) -> str:
    """A pattern of a refusal that lets it offer other pieces beside those that it names: conf/ may have more."""
    pattern = re.sub(r"use (\w+)=", r"use \1=(?:\\w+ or )*", pattern)
    return re.sub(r"(?<!,) or |(?=, or use|\$$)", lambda place: r"(?: or \w+)*" + place[0], pattern)


@pytest.mark.few(30)
@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_refused_by_one_line_that_names_its_key(composed, command):
    cfg = composed(*command.split())
    with pytest.raises(ConfigError, match=with_others(MISTAKES[command])) as refused:
        validate(cfg)
    assert "\n" not in str(refused.value)


@pytest.mark.few(3)
@pytest.mark.parametrize("name", RANKLESS)
def test_a_rank_is_refused_by_a_modulation_without_one(composed, name):
    cfg = composed(f"modulation={name}", "rank=3")
    assert not takes_rank(cfg)
    with pytest.raises(ConfigError, match=f"rank=3 has no meaning for modulation={name}.*modulation=.*{RANKED[0]}"):
        validate(cfg)


@pytest.mark.parametrize("name", RANKED)
def test_any_rank_is_taken_by_a_modulation_that_has_one(composed, name):
    for rank in (1, 7):
        cfg = composed(f"modulation={name}", f"rank={rank}")
        validate(cfg)
        assert cfg.modulation.rank == rank
        assert method_name(cfg) == f"{name}({rank})"


def test_a_sweep_drops_a_rank_that_has_no_meaning_and_says_so(composed):
    cfg = composed(f"modulation={RANKLESS[0]}", "rank=3")
    assert f"modulation={RANKLESS[0]}" in drop_unused_rank(cfg)
    assert cfg.rank is None
    validate(cfg)
    kept = composed(f"modulation={RANKED[0]}", "rank=3")
    assert drop_unused_rank(kept) is None
    assert kept.modulation.rank == 3


@pytest.mark.parametrize(
    ("word", "value", "ways"),
    [("structure", "metriplectic", "unstructured"), ("structure", "general", "unstructured"),
     ("canonical", False, "unstructured")],
)  # fmt: skip
def test_hamiltonian_dynamics_refuses_a_system_without_that_structure(composed, monkeypatch, word, value, ways):
    """Of two components, too few for brackets."""
    monkeypatch.setattr(Pendulum, word, value)
    refusal = rf"hamiltonian needs a conserv.* canonical .*, got system=pendulum.*; use dynamics={ways}$"
    with pytest.raises(ConfigError, match=with_others(refusal)):
        validate(composed("dynamics=hamiltonian"))
    validate(composed("dynamics=unstructured"))


@pytest.mark.few(1)
@pytest.mark.parametrize("system", ["damped_oscillator", "two_gas_containers", "damped_chain"])
def test_a_metriplectic_system_brings_its_dynamics_which_brings_its_bracket(composed, system):
    assert dynamics_name(composed(f"system={system}")) == "generic(gnode)"
    assert dynamics_name(composed(f"system={system}", "bracket=nms")) == "generic(nms)"
    assert dynamics_name(composed("dynamics=unstructured", f"system={system}")) == "unstructured"
    assert dynamics_name(composed()) == "hamiltonian"


def test_online_logging_is_accepted_with_a_key(composed, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    validate(composed("logger.mode=online"))


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "learner=maml modulation=svd",
            "learner=maml needs .* all weights, got .*use modulation=weights",
        ),
        ("learner=anil modulation=weights", "learner=anil needs .* output layer, got .*use modulation=output_weights"),
        (
            "learner=maml adaptation=gradient",
            ".*use adaptation=descent or fine_tuning or from_s",
        ),
        ("learner=maml adaptation=levenberg_marquardt", "few numbers, got modulation=weights .*; use adaptation=desce"),
        ("learner=maml learner.inner_rate=0", r"learner\.inner_rate must be above 0"),
        ("learner=reptile learner.inner_optimizer=adm", r"learner\.inner_optimizer must be one of adam, sgd"),
    ],
)
def test_a_learner_refuses_what_does_not_go_with_it(composed, command, message):
    with pytest.raises(ConfigError, match=message):
        validate(composed(*command.split()))


@pytest.mark.few(2)
@pytest.mark.parametrize("learner", ["maml", "anil", "reptile", "pretrained", "scratch"])
def test_a_learner_of_initialisations_chooses_what_belongs_to_it_and_names_the_method(composed, learner):
    cfg = composed(f"learner={learner}")
    assert cfg.modulation._target_.endswith("Weights")
    assert method_name(cfg) == learner
    assert composed(f"learner={learner}", "adaptation=descent").adaptation.name == "descent"


ALLOWED = (
    *("data.trajectories=2 data.support_trajectories=1 shots=200", "shots=1000", "seed=7", "data.tolerance=1"),
    *("integrator.step_size=2.1e-5", "optimizer.least_damping=1e-3", "trainer.threads=1024"),
    "optimizer=soap data.noise=10",
)


@pytest.mark.parametrize("count", ALLOWED)
def test_the_largest_sizes_that_make_sense_are_accepted(composed, count):
    validate(composed(*count.split()))


@pytest.mark.few(3)
@pytest.mark.parametrize(
    "override",
    [
        "rank=five",
        "rank=1.5",
        "shots=some",
        "seed=1.5",
        "force=maybe",
        "trainer.steps=many",
        "trainer.stepz=3",
        "ranks=3",
    ],
)
def test_the_schema_refuses_wrong_types_and_names_that_are_not_settings(override):
    with pytest.raises((HydraException, OmegaConfBaseException)) as refused:
        composed(override)
    assert override.split("=")[0].split(".")[-1] in f"{refused.value} {refused.value.__cause__}"


VALUES = (
    *("shots=7", "data.tolerance=1e-3", "net.activation=tanh", "force=true", "rank=null", "modulation.tags=[hidden]"),
    *("start=in_box start.box=[[-1,1.5],[-2,2]]", "system.parameters.m=[1,2]", "tag=other", "seed=0"),
)


@pytest.mark.few(4)
@pytest.mark.parametrize("command", VALUES)
def test_a_value_that_is_set_without_hydra_is_what_hydra_makes_of_it(command):
    assert configured(*command.split(maxsplit=1)) == composed(*command.split(maxsplit=1))


def test_a_list_that_a_system_prefers_may_be_replaced(composed):
    assert composed("system=cart_pole").dynamics.angles == [1]
    for angles in ([], [0], [0, 1]):
        validate(cfg := composed("system=cart_pole", f"dynamics.angles={angles}"))
        assert cfg.dynamics.angles == angles


def test_near_matches_are_suggested_and_otherwise_all_there_is():
    assert closest("pendulm", ["duffing", "pendulum"]) == "did you mean pendulum?"
    assert closest("xyz", ["duffing", "pendulum"]) == "there is duffing, pendulum"


def test_camel_brings_its_own_adaptation_and_leaves_the_choice(composed):
    assert composed("modulation=camel").adaptation.name == "closed_form"
    assert composed("modulation=camel", "adaptation=gradient").adaptation.name == "gradient"
    assert composed("modulation=svd").adaptation.name == "levenberg_marquardt"


def test_camel_takes_levenberg_marquardt_where_the_dynamics_has_no_closed_form(composed):
    cfg = composed("modulation=camel", "system=damped_oscillator")
    assert cfg.adaptation == settings_of("adaptation", "levenberg_marquardt")
    validate(cfg)
    with pytest.raises(ConfigError, match=r"closed_form needs .* use adaptation=levenberg_marquardt"):
        validate(composed("modulation=camel", "system=damped_oscillator", "adaptation=closed_form"))


@pytest.mark.parametrize(
    ("words", "best"),
    [
        ("modulation=svd", "levenberg_marquardt"),
        ("modulation=camel", "closed_form"),
        ("modulation=camel adaptation=gradient", "closed_form"),
        ("modulation=camel adaptation=levenberg_marquardt modulation.hidden=3", "levenberg_marquardt"),
    ],
)
def test_the_best_adaptation_is_the_most_exact_that_the_model_allows(composed, words, best):
    cfg = composed(*words.split())
    assert best_adaptation(cfg) == best
    other = adapted_by(cfg, best)
    validate(other)
    assert other.adaptation.name == best


def test_an_adaptation_that_is_not_there_is_refused_with_the_near_ones(composed):
    with pytest.raises(
        ConfigError, match=r"adaptation=levenberg_marquart is not known; did you mean levenberg_marquardt\?"
    ):
        adapted_by(composed(), "levenberg_marquart")
