"""What a potential of local terms keeps, by what its terms see; each law with a net that must break it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from metastruct.config.facts import settings_of
from metastruct.config.pieces import factory
from metastruct.config.schema import ConfigError, composed
from metastruct.modulation.full_weight import FullUpdate
from metastruct.nets.graph import EDGES, Graph, incidence
from metastruct.running.assembly import build_model
from metastruct.running.run import Run
from metastruct.running.validation.rehearsal import rehearse

BODIES, TASKS, POINTS = 5, 3, 4
LAW = ("system=bodies", "net=graph", "dynamics=hamiltonian", "net.width=8")


def model(random_model, *words: str):
    return random_model(Run.of(composed(*LAW, *words)).config, gain=3.0)


def states(dynamics, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(TASKS, POINTS, len(dynamics.state_mean), generator=generator, dtype=torch.float64)


def forces(model) -> tuple[Tensor, Tensor, Tensor]:
    """Positions, and dq/dt and dp/dt of bodies, `[..., bodies, 2]`."""
    x = states(model.dynamics)
    codes = torch.randn(TASKS, model.code_dim, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    dq, dp = model.vector_field(x, codes).chunk(2, dim=-1)
    q, p = x.chunk(2, dim=-1)
    turning = torch.stack([q, p, dq, dp]).unflatten(-1, (-1, 2))
    return turning[0], turning[1], turning[2:]


def momentum_rate(model) -> Tensor:
    """|sum_i dp_i/dt| over sum_i |dp_i/dt|, the largest."""
    _, _, (_, dp) = forces(model)
    return (dp.sum(-2).norm(dim=-1) / dp.norm(dim=-1).sum(-1)).max()


def angular_rate(model) -> Tensor:
    """|d/dt sum_i q_i x p_i| over the sum of the sizes of its terms, the largest."""
    q, p, (dq, dp) = forces(model)
    terms = torch.stack(
        [dq[..., 0] * p[..., 1], -dq[..., 1] * p[..., 0], q[..., 0] * dp[..., 1], -q[..., 1] * dp[..., 0]]
    )
    return (terms.sum((0, -1)).abs() / terms.abs().sum((0, -1))).max()


@pytest.mark.parametrize("sees", ["difference", "distance"])
def test_momentum_is_kept_where_no_term_sees_a_position_alone(random_model, sees):
    assert momentum_rate(model(random_model, f"net.sees={sees}")) < 1e-12


@pytest.mark.parametrize("words", [("net.place=true",), ("net.features=0", "net.edges=walls"), ("net=mlp",)])
def test_momentum_is_not_kept_where_a_term_sees_a_position(random_model, words):
    words = words if words != ("net=mlp",) else ("net=mlp",)
    assert momentum_rate(model(random_model, *words)) > 1e-3


@pytest.mark.parametrize("words", [(), ("net.cutoff=1.5",)], ids=["all_pairs", "near_pairs"])
def test_angular_momentum_is_kept_where_terms_see_distances_and_speeds(random_model, words):
    assert angular_rate(model(random_model, *words)) < 1e-12


@pytest.mark.parametrize(("distance", "felt"), [(1.4, True), (1.5, False), (9.0, False)])
def test_bodies_beyond_the_cutoff_feel_nothing_of_each_other(distance, felt):
    torch.manual_seed(0)
    net = Graph(8, edges="complete", dimension=2, sees="distance", place=False, cutoff=1.5, width=6, depth=2).double()
    x = torch.tensor([[[0.0, 0.0, distance, 0.0, 0.3, 0.1, -0.2, 0.4]]], dtype=torch.float64)
    force = net.gradient(x, {})[..., :4]
    assert bool(force.abs().max() > 0) == felt
    x[..., 2] += 1e-3  # and the force comes without a jump
    assert (net.gradient(x, {})[..., :4] - force).abs().max() < 1e-2


@pytest.mark.parametrize("words", [("net.sees=difference",), ("net.place=true",)])
def test_angular_momentum_is_not_kept_where_terms_see_more(random_model, words):
    assert angular_rate(model(random_model, *words)) > 1e-3


@pytest.mark.parametrize("edges", EDGES)
def test_differences_are_those_of_the_ends_of_edges(edges):
    ends = EDGES[edges](BODIES)
    q = torch.randn(BODIES, 2)
    made = (q.flatten() @ incidence(BODIES, ends, 2)).unflatten(-1, (-1, 2))
    wall = torch.zeros(2)
    expected = [(wall if j is None else q[j]) - (wall if i is None else q[i]) for j, i in ends]
    torch.testing.assert_close(made, torch.stack(expected))
    assert (
        len({frozenset(edge) for edge in ends})
        == len(ends)
        == ({"walls": BODIES + 1, "chain": BODIES - 1, "ring": BODIES, "complete": BODIES * (BODIES - 1) // 2}[edges])
    )


def test_bodies_in_another_order_have_the_same_energy_unless_features_tell_them_apart():
    order = torch.tensor([3, 0, 4, 1, 2])
    x = torch.randn(1, POINTS, 4 * BODIES, dtype=torch.float64)
    other = x.unflatten(-1, (2, BODIES, 2))[..., order, :].flatten(-3)
    for features, same in ((0, True), (1, False)):
        torch.manual_seed(0)
        net = factory(settings_of("net", "graph"))(
            4 * BODIES, edges="complete", dimension=2, sees="distance", features=features, place=True, width=8
        ).double()
        difference = (net(x, {}) - net(other, {})).abs().max()
        assert (difference < 1e-12) == same


@pytest.mark.parametrize(
    "settings", [{"sees": "distance"}, {"sees": "distance", "cutoff": 1.5}, {"sees": "difference"}]
)
def test_gradient_is_that_of_the_energy_with_features_of_each_task(settings):
    torch.manual_seed(0)
    net = Graph(4 * BODIES, edges="complete", dimension=2, features=2, width=6, depth=2, **settings).double()
    updates = {
        site.name: FullUpdate(
            torch.randn(TASKS, site.out_features, site.in_features, dtype=torch.float64),
            torch.randn(TASKS, site.out_features, dtype=torch.float64) if site.bias else None,
        )
        for site in net.sites
    }
    x = torch.randn(TASKS, POINTS, 4 * BODIES, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(net(x, updates).sum(), x)
    torch.testing.assert_close(net.gradient(x, updates), expected, rtol=1e-10, atol=1e-12)


def test_components_that_are_treated_alike_have_one_unit_about_the_origin(random_model):
    dynamics = model(random_model).dynamics
    q, p = dynamics.state_std.chunk(2)
    assert q.unique().numel() == p.unique().numel() == 1
    assert q[0] != p[0]
    assert not dynamics.state_mean.any()


def test_a_net_of_eight_bodies_is_one_of_more(random_model):
    chain = ("system=fput", "net.width=8", "net.features=0", "net.edges=walls", "net.dimension=1", "net.place=false")
    few, many = (
        build_model(Run.of(composed("net=graph", *chain, "net.sees=difference")).config, scales(n)).double()
        for n in (8, 12)
    )
    many.load_state_dict(
        {name: t for name, t in few.state_dict().items() if many.state_dict()[name].shape == t.shape}, strict=False
    )
    x, codes = states(few.dynamics), torch.randn(TASKS, few.code_dim, dtype=torch.float64)
    q, p = x.chunk(2, dim=-1)
    longer = torch.cat([q, torch.zeros_like(q[..., :4]), p, torch.zeros_like(p[..., :4])], dim=-1)
    # bodies at rest beyond the last one feel nothing of the first
    torch.testing.assert_close(many.vector_field(longer, codes)[..., 12:19], few.vector_field(x, codes)[..., 8:15])


def scales(n: int):
    from metastruct.dynamics.dynamics import Scales

    ones = torch.ones(2 * n, dtype=torch.float64)
    return Scales(0 * ones, 1.5 * ones, 0.7 * ones)


def test_brackets_over_all_pairs_refuse_many_components_and_name_what_stands_in():
    config = Run.of(composed("system=damped_chain", "system.oscillators=40", "dynamics=generic")).config
    with pytest.raises(ConfigError, match=r"at most 65 .*, got 81; use dynamics=local_generic with net=graph"):
        rehearse(config)
    rehearse(
        Run.of(composed("system=damped_chain", "system.oscillators=40", "dynamics=local_generic", "net=graph")).config
    )


def test_local_friction_is_metriplectic_as_matrices_and_another_one_is_not(random_model):
    """L and M as matrices agree with the field, and keep both degeneracies; friction without its heat does not."""
    words = ("system=damped_chain", "system.oscillators=4", "dynamics=local_generic", "net=graph", "net.width=6")
    dynamics = random_model(Run.of(composed(*words)).config, gain=3.0)
    x = states(dynamics.dynamics).requires_grad_()
    codes = torch.randn(TASKS, dynamics.code_dim, dtype=torch.float64)
    updates, law = dynamics.modulation(codes), dynamics.dynamics
    by_energy, by_entropy = (torch.autograd.grad(each(x, updates).sum(), x)[0] for each in (law.energy, law.entropy))
    poisson, friction = law.poisson(x, updates), law.friction(x, updates)
    made = (poisson @ by_energy[..., None] + friction @ by_entropy[..., None]).squeeze(-1)
    torch.testing.assert_close(made, law.vector_field(x, updates))
    assert (torch.linalg.eigvalsh(friction) > -1e-10).all()
    for matrix, gradient in ((poisson, by_entropy), (friction, by_energy)):
        assert (matrix @ gradient[..., None]).abs().max() < 1e-10 * friction.abs().max()
    cold = friction.clone()
    cold[..., -1, :] = 0.0
    assert (cold @ by_energy[..., None]).abs().max() < 1e-10 * friction.abs().max()
    assert (cold - cold.mT).abs().max() > 1e-3
    assert ((by_energy * (cold @ by_entropy[..., None]).squeeze(-1)).sum(-1)).abs().max() > 1e-3
