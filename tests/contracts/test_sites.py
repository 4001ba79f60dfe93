"""What yamls say of sites, sizes and parts is what the classes build and refuse, so that an answer needs no torch."""

from __future__ import annotations

import pytest
from companions import example

from metastruct.config.facts import described, options
from metastruct.config.needs import Piece
from metastruct.config.pieces import plain
from metastruct.config.schema import ConfigError
from metastruct.running import assembly, validation
from metastruct.running.run import Run
from metastruct.running.validation import sites, validate
from metastruct.running.validation.rehearsal import rehearse

FILES = f"data=files {example('data', 'files')[0]} data.states=[a,b,c]"
REFUSED = {
    "net.depth=1": "tags must name sites that are there, some of input, output, got .hidden.; .* choose net.depth at",
    "modulation.tags=[{a:1}]": "modulation.tags must be a list of input, hidden, output, .*, got",
    "modulation.shift_tags=[[input]]": "modulation.shift_tags must be a list of input, hidden, output, .*, got",
    "modulation.tags=[bracket]": "holds bracket, which net=mlp with dynamics=hamiltonian has not; use dynamics=generic",
    "modulation=shift modulation.shift_tags=[output]": "must name sites in .* that have an offset, .*; use some of in",
    "system=cart_pole modulation.tags=[hidden,mass]": "leave mass out, or choose dynamics.shared mass",
    "system=cart_pole dynamics.angles=[7]": "dynamics.angles=.7. makes no sense: coordinates are numbered from 0",
    "system=swing known=constants": "known=constants without mass, .* it would say nothing",
    "system=swing known=constants known.weights=[1]": "weights hang on arms",
    "system=swing known=constants known.drive=[[1.0]]": "no inputs drive the members",
    "system=swing known=constants known.friction=[[1.0]] dynamics.friction=none": "there is some",
    "system=swing dynamics.mass=known": "dynamics.mass=known with known.mass=null makes no sense: nothing is known",
    "system=swing dynamics.friction=none dynamics.shared=[friction]": "shared=.friction. with dynamics.friction=none",
    "FILES": "dynamics=hamiltonian needs a state .* of even size .*, got data=files .states: 3.; use dynamics=",
    "FILES data.states=[a,b] data.inputs=[u]": "no input drives, got data=files .inputs: 1.; use dynamics=mechanical",
    "FILES dynamics=mechanical": "dynamics=mechanical needs a state .q, v. of even size",
    "FILES dynamics=local_generic data.states=[q,p]": "needs a state .q, p, S. of odd size",
    "FILES dynamics=port_hamiltonian": "dynamics.skew=canonical makes no sense: its states are pairs",
    "FILES dynamics=generic data.states=[a,b]": "gnode needs a state of 3 to 65 components, .*; use dynamics=",
    "FILES dynamics=generic bracket=nms data.states=[a,b]": "bracket=nms needs a state of 3 to 65 components",
    "FILES dynamics=generic data.inputs=[u]": "dynamics=generic needs a state that no input drives",
    "system=toda net=lattice net.components=10": "net=lattice needs a state of net.components fields on a grid",
    "system=toda net=graph net.dimension=3": "net=graph needs a state .* of bodies with net.dimension coordinates",
    "system=toda net=graph net.edges=walls net.features=2": "features tell bodies apart and a wall has none",
    "system=mass_spring net=graph net.edges=ring": "net.edges=ring makes no sense: one body has no pair",
    "system=toda net=lattice net.shape=[4]": "net.shape=.4. makes no sense: its sites hold fewer numbers than a state",
    "system=toda net=lattice net.shape=[]": "net.shape must have the shape .axes., got .. of shape .0.; change it",
    "ARM known.mass=[[1]]": r"known.mass must have the shape .2 coordinates, 2 coordinates., got ..1.. of shape .1, 1.",
    "ARM known.friction=[[1,0,0],[0,1,0]]": "friction must have the shape .2 coordinates, 2 coordinates.",
    "ARM known.drive=[[1],[0]]": "known.drive must have the shape .2 coordinates, 2 inputs., got",
    "ARM known.springs=[[1]]": "known.springs must have the shape .2 coordinates, 2 coordinates., got",
    "ARM known.arms=[[1,0,0]] known.weights=[1]": "arms must have the shape .1 bodies, 2 coordinates., got",
    "ARM known.arms=[[1,0]] known.weights=[1,2]": "arms must have the shape .2 bodies, 2 coordinates., got",
    "ARM known.mass=[[1,0],[0,1]] known.weights=[]": "weights must have the shape .bodies., got .. of shape .0.",
    "ARM known.weights=[[1],[2]] known.arms=[[1,0],[1,1]]": "known.weights must be a number, got .1.",
    "ARM known.mass=[[1,2],[0,1]]": "a mass matrix is symmetric and not negative; change it",
    "ARM known.mass=[[1,0],[0,-1]]": "a mass matrix is symmetric and not negative; change it",
    "ARM known.mass=[[1,0],[0,0]] dynamics.mass=known": "dynamics.mass=known with .* it is all the mass that there is",
    "ARM known.friction=[[1,5],[5,1]]": "a friction matrix is symmetric and not negative; change it",
    "ARM known.springs=[[1,2],[0,1]]": "springs push as they are pushed; change it",
    "ARM known.mass=[[0,0],[0,0]]": "known.mass=..0,0.,.0,0.. with .* makes no sense: it would say nothing",
    "ARM known.weights=[0,0] known.arms=[[1,0],[1,1]]": "makes no sense: it would say nothing; change one of them",
    "ARM dynamics.angles=[0,0]": "dynamics.angles must hold each number once, got .0, 0.; use .0.",
    "ARM dynamics.angles=[[0]]": "dynamics.angles must be 0 or more, a whole number, once each, got .0.",
    "ARM dynamics.shared=[potential,mass,friction,drive]": "some of mass, potential, .* choose dynamics.shared not pot",
    "system=swing dynamics.shared=[potential,mass]": "some of mass, potential, got .hidden.; leave hidden out, or",
    "system=rlc_circuit dynamics.shared=[storage,friction,drive]": "leave hidden out, or choose .*shared not storage",
    "data.observed=states": "objective=derivatives needs derivatives beside the states, .*; use objective=rollout",
}
TAKEN = (
    *(
        "ARM known.mass=[[1,0.2],[0.2,1]] dynamics.mass=known",
        "ARM known.drive=[[1,0],[0,0]]",
        "ARM dynamics.angles=[1]",
    ),
    *("ARM known.arms=[[1,0],[1,1]] known.weights=[1,0]", "ARM known.springs=[[-1,0],[0,0]]"),
    *("ARM dynamics.shared=[potential,mass,friction]", "system=rlc_circuit dynamics.shared=[storage,friction]"),
    *(
        "system=toda net=lattice net.components=2 net.shape=[8]",
        "ARM known.mass=[[1,0],[0,1]] known.friction=[[0,0],[0,0]]",
    ),
    *("net.depth=1 modulation.tags=[input]", "net.depth=1 learner=maml", "net.depth=1 modulation=shift"),
    *("system=cart_pole net.depth=1", "system=cart_pole dynamics.shared=[mass] modulation.tags=[mass]"),
    *("system=cart_pole dynamics.angles=[1]", "modulation=shift modulation.shift_tags=[hidden]"),
    *("system=swing known=constants known.mass=[[1.0]] dynamics.mass=known", "FILES dynamics=local_generic"),
    *("FILES dynamics=port_hamiltonian dynamics.skew=constant", "FILES dynamics=generic", "system=toda net=graph"),
)


def composed_of(composed, command):
    known = "known=constants" if "known." in command else ""
    words = {"FILES": FILES, "ARM": f"system=two_link_arm {known}"}
    return composed(*" ".join(words.get(word, word) for word in command.split()).split())


@pytest.mark.parametrize("net", options("net"))
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_yaml_says_which_sites_its_net_has_at_its_depth(small, random_model, net, depth):
    settings = {**described("net", net), "depth": depth}
    system = "system=kdv" if net == "lattice" else "system=toda"
    model = random_model(
        small(system, f"net={net}", "modulation=shift", "modulation.shift_tags=[input]", net__depth=depth)
    )
    built, *_ = model.dynamics.nets.values()
    declared = sites.tags_of({"net": Piece("net", net, settings), "dynamics": None})
    assert declared == [*dict.fromkeys(site.tag for site in built.sites)]
    assert not any(site.bias for site in built.sites if site.tag == "output"), "of a potential"


@pytest.mark.parametrize("command", REFUSED)
def test_what_a_yaml_excludes_is_refused_before_torch_and_would_be_after_it(composed, monkeypatch, command):
    cfg = composed_of(composed, command)
    with pytest.raises(ConfigError, match=REFUSED[command]) as refused:
        validate(cfg)
    assert "\n" not in str(refused.value)
    for check in ("check_tags", "check_needs", "check_excluded", "check_shapes", "check_laws", "check_order"):
        monkeypatch.setattr(validation, check, lambda *_: None)
    validate(cfg)
    with pytest.raises(ConfigError):
        rehearse(Run.of(cfg).config)


@pytest.mark.parametrize("command", TAKEN)
def test_what_a_yaml_lets_pass_its_classes_take(composed, command):
    cfg = composed_of(composed, command)
    validate(cfg)
    rehearse(Run.of(cfg).config)


def test_a_net_that_shows_other_sites_than_its_yaml_says_is_refused_by_the_rehearsal(composed):
    cfg = composed("net.depth=1", "modulation.tags=[input]")
    config = Run.of(cfg).config
    rehearse(config)
    config.modulation["tags"] = ["hidden"]
    with pytest.raises(ConfigError, match=r"must name sites that are there, some of input, output"):
        rehearse(config)


@pytest.mark.parametrize("depth", [1, pytest.param(2, marks=pytest.mark.torture)])
def test_no_arrangement_shows_a_site_that_its_yamls_do_not_declare(small, random_model, every_arrangement, depth):
    for arrangement in every_arrangement:
        cfg = small(*arrangement.overrides, "modulation=shift", "modulation.shift_tags=[input]", net__depth=depth)
        pieces = {group: Piece(group, cfg[group].name, plain(cfg[group])) for group in ("net", "dynamics")}
        built = random_model(cfg).dynamics.sites
        assert {site.tag for site in built} <= {*sites.tags_of(pieces)}, arrangement
        moved = any(site.bias for site in built if site.tag == "output")
        assert moved != (pieces["dynamics"].provided("potentials") is True), arrangement


def test_the_rehearsal_builds_the_model_once(composed, monkeypatch):
    built, whole = [], assembly.build_model

    def build(*args):
        built.append(args)
        return whole(*args)

    monkeypatch.setattr(assembly, "build_model", build)
    rehearse(Run.of(composed()).config)
    assert len(built) == 1
