"""What every modulation of conf/modulation promises, on every net and dynamics; a new yaml is tested unedited."""

from __future__ import annotations

import pytest
import torch

from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.nets.net import Net
from metastruct.nets.product import by_task, to_rows
from metastruct.nets.site import ShiftUpdate
from metastruct.objectives.derivatives import Derivatives

TASKS, POINTS = 3, 4
VARIANTS = {  # of settings, in the default arrangement; the first in every other, for it has all sites
    "every_site": {
        "modulation__tags": ["input", "hidden", "output", "bracket"],
        "modulation__shift_tags": ["input", "hidden", "output", "bracket"],
    },
    "as_shipped": {},
    "hidden_layer": {"modulation__hidden": 5},
    "one_code_number": {"modulation__code_dim": 1},
}


def loss(model: ModulatedModel, x: torch.Tensor, dxdt: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Of each task."""
    return Derivatives().loss(model, Observations(x, dxdt), codes)


@pytest.fixture(scope="module")
def model(small, random_model, any_modulation, arrangement, variant) -> ModulatedModel:
    return random_model(small(f"modulation={any_modulation}", *arrangement.overrides, **VARIANTS[variant]))


@pytest.fixture(scope="module")
def data(model) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """States, derivatives and codes of a few tasks."""
    generator = torch.Generator().manual_seed(1)
    size = len(model.dynamics.state_mean)
    x, dxdt = torch.randn(2, TASKS, POINTS, size, generator=generator, dtype=torch.float64)
    # A long code is no larger than a short one: softplus is only nearly smooth where its argument is above 20.
    size = min(1.0, (3 / model.code_dim) ** 0.5)
    return x, dxdt, size * torch.randn(TASKS, model.code_dim, generator=generator, dtype=torch.float64)


def needs_a_potential(model: ModulatedModel) -> None:
    if not any(net.potential for net in model.dynamics.nets.values()):
        pytest.skip("no potential here whose gradient is taken")


def loss_and_gradients(model: ModulatedModel, x, dxdt, codes) -> tuple[torch.Tensor, ...]:
    """Loss per task, then the gradient of their sum for states, codes and every parameter."""
    x, codes = x.clone().requires_grad_(), codes.clone().requires_grad_()
    losses = loss(model, x, dxdt, codes)
    return losses.detach(), *torch.autograd.grad(losses.sum(), [x, codes, *model.parameters()])


def assert_same(ours, theirs) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def updates_by_site(model: ModulatedModel, codes: torch.Tensor) -> list:
    updates = model.modulation(codes)
    return [(site, updates[site.name]) for site in model.dynamics.sites if site.name in updates]


@pytest.mark.few(6)
def test_updates_apply_as_their_dense_form_says(model, data):
    generator = torch.Generator().manual_seed(2)
    for site, update in updates_by_site(model, data[2]):
        weight = torch.randn(site.out_features, site.in_features, generator=generator, dtype=torch.float64)
        h = torch.randn(TASKS * POINTS, site.in_features, generator=generator, dtype=torch.float64)
        g = torch.randn(TASKS * POINTS, site.out_features, generator=generator, dtype=torch.float64)
        dense = update.dense(weight)
        assert dense.shape in ((TASKS, *weight.shape), (1, *weight.shape))
        given = [t.clone() for t in (weight, h, g)]
        for gradients in (True, False):
            with torch.set_grad_enabled(gradients):
                up, down = update.linear(h, weight), update.transpose(g, weight)
            assert_same((up, down), (to_rows(by_task(h, TASKS) @ dense.mT), to_rows(by_task(g, TASKS) @ dense)))
        assert all(torch.equal(a, b) for a, b in zip(given, (weight, h, g), strict=True))


@pytest.mark.few(4)
def test_an_offset_is_one_for_each_task_where_something_is_generated(model, data):
    generator = torch.Generator().manual_seed(3)
    for site, update in updates_by_site(model, data[2]):
        bias = torch.randn(site.out_features, generator=generator, dtype=torch.float64) if site.bias else None
        offset = update.offset(bias)
        if offset is None:
            assert update.shift is None
            assert bias is None
        else:
            assert offset.shape in ((TASKS, site.out_features), (1, site.out_features))
            assert offset.shape[0] == TASKS or update.shift is None


def test_modulated_sites_are_those_of_the_tags(small, random_model, any_modulation):
    cfg = small(f"modulation={any_modulation}", modulation__tags=["input"], modulation__shift_tags=["input"])
    model = random_model(cfg)
    codes = torch.ones(1, model.code_dim, dtype=torch.float64)
    tags = {site.name: site.tag for site in model.dynamics.sites}
    assert {tags[name] for name in model.modulation(codes)} == {"input"}


def test_tags_that_no_site_carries_are_refused(small, random_model, any_modulation):
    cfg = small(f"modulation={any_modulation}", modulation__tags=[], modulation__shift_tags=["output"])
    with pytest.raises(ValueError, match=r"modulation\.tags"):
        random_model(cfg)


@pytest.mark.few(5)
def test_a_rank_above_the_width_is_clipped(small, random_model, any_modulation):
    cfg = small(f"modulation={any_modulation}", "net=mlp", net__width=2, modulation__rank=5)
    if cfg.modulation.get("rank") is None:
        pytest.skip("has no rank")
    model = random_model(cfg)
    for update in model.modulation(torch.ones(1, model.code_dim, dtype=torch.float64)).values():
        factors = [part for name, part in vars(update).items() if name != "shift"]
        assert all(min(factor.shape[-2:]) <= 2 for factor in factors)


@pytest.mark.few(19)
def test_formulas_of_gradients_agree_with_those_of_the_base_class(model, data, monkeypatch):
    needs_a_potential(model)
    ours = loss_and_gradients(model, *data)
    for net in model.dynamics.nets.values():
        monkeypatch.setattr(net, "gradient", lambda x, updates, net=net: Net.gradient(net, x, updates))
    assert_same(ours, loss_and_gradients(model, *data))


@pytest.mark.few(5)
def test_vector_field_is_the_same_with_and_without_autograd(model, data):
    x, _, codes = data
    with torch.no_grad():
        silent = model.vector_field(x, codes)
    assert not silent.requires_grad
    torch.testing.assert_close(silent, model.vector_field(x, codes), rtol=1e-12, atol=1e-13)


@pytest.mark.few(10)
def test_loss_passes_gradcheck_for_codes_and_parameters(model, data):
    x, dxdt, codes = data
    x, dxdt, codes = x[:2, :2], dxdt[:2, :2], codes[:2].clone().requires_grad_()
    names, values = zip(*((n, p.detach().clone().requires_grad_()) for n, p in model.named_parameters()), strict=True)

    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, codes):
            return loss(self.model, x, dxdt, codes)

    def losses(codes, *values):
        parameters = {f"model.{name}": value for name, value in zip(names, values, strict=True)}
        return torch.func.functional_call(Loss(), parameters, (codes,))

    assert torch.autograd.gradcheck(losses, (codes, *values), fast_mode=True, atol=1e-4, rtol=1e-4)


@pytest.mark.few(21)
def test_every_parameter_and_code_receives_a_gradient_at_initialisation(model, data):
    x, dxdt, codes = data
    _, _, by_codes, *by_parameters = loss_and_gradients(model, x, dxdt, codes)
    assert (by_codes != 0).all()
    for (name, _), gradient in zip(model.named_parameters(), by_parameters, strict=True):
        assert gradient.abs().max() > 1e-8, f"{name} receives no gradient"


def test_parameters_lie_contiguously_in_memory(model):
    """Fused Adam ignores strides: with a gradient of other strides it would move the wrong numbers."""
    assert all(parameter.is_contiguous() for parameter in model.parameters())


def test_codes_receive_a_gradient_where_they_start(model, data):
    x, dxdt, codes = data
    _, _, by_codes, *_ = loss_and_gradients(model, x, dxdt, torch.zeros_like(codes))
    assert (by_codes.abs().amax(-1) > 1e-8).all()


@pytest.mark.few(36)
def test_a_batch_of_tasks_is_as_many_batches_of_one(model, data):
    x, dxdt, codes = data
    losses, by_x, by_codes, *by_parameters = loss_and_gradients(model, x, dxdt, codes)
    single = [loss_and_gradients(model, x[k : k + 1], dxdt[k : k + 1], codes[k : k + 1]) for k in range(TASKS)]
    assert_same((losses, by_x, by_codes), [torch.cat(parts) for parts in list(zip(*single, strict=True))[:3]])
    assert_same(by_parameters, [sum(parts) for parts in list(zip(*single, strict=True))[3:]])


def test_shuffled_tasks_permute_the_results(model, data):
    order = torch.tensor([2, 0, 1])
    losses, by_x, by_codes, *by_parameters = loss_and_gradients(model, *data)
    shuffled = loss_and_gradients(model, *(values[order] for values in data))
    assert_same((losses[order], by_x[order], by_codes[order], *by_parameters), shuffled)


def test_a_single_point_gives_what_it_gives_among_others(model, data):
    x, _, codes = data
    with torch.no_grad():
        parameters = [parameter.clone() for parameter in model.parameters()]
        alone = model.vector_field(x[:, :1], codes)
        torch.testing.assert_close(alone, model.vector_field(x, codes)[:, :1], rtol=1e-10, atol=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(parameters, model.parameters(), strict=True))


@pytest.mark.few(37)
def test_a_leading_axis_of_replicas_gives_the_results_of_single_models(
    small, random_model, model, data, any_modulation, arrangement, variant
):
    other = random_model(small(f"modulation={any_modulation}", *arrangement.overrides, **VARIANTS[variant]), seed=7)
    other.dynamics.load_state_dict(
        {n: b for n, b in model.dynamics.named_buffers()} | dict(other.dynamics.named_parameters())
    )
    x, dxdt, codes = data
    xs, dxdts, zs = torch.stack([x, x + 0.1]), torch.stack([dxdt, dxdt - 0.2]), torch.stack([codes, 0.5 * codes])
    expected = [loss_and_gradients(m, *arguments) for m, *arguments in zip((model, other), xs, dxdts, zs, strict=True)]
    stacked = {
        name: torch.stack([a, b]).detach().requires_grad_()
        for (name, a), b in zip(model.named_parameters(), other.parameters(), strict=True)
    }
    xs.requires_grad_()
    zs.requires_grad_()

    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *arguments):
            return loss(self.model, *arguments)

    replicas = {f"model.{name}": value for name, value in stacked.items()}
    losses = torch.func.functional_call(Loss(), replicas, (xs, dxdts, zs))
    ours = (losses.detach(), *torch.autograd.grad(losses.sum(), [xs, zs, *stacked.values()]))
    assert_same(ours, [torch.stack(parts) for parts in zip(*expected, strict=True)])


def test_the_penalty_of_replicas_is_one_number_each(small, random_model, any_modulation):
    models = [random_model(small(f"modulation={any_modulation}"), seed=seed).modulation for seed in (0, 1)]
    for modulation in models:
        for parameter in modulation.parameters():
            parameter.data.mul_(1.5)
    single = [torch.as_tensor(modulation.penalty(), dtype=torch.float64) for modulation in models]
    stacked = {
        name: torch.stack([a, b])
        for (name, a), b in zip(models[0].named_parameters(), models[1].parameters(), strict=True)
    }

    class Penalty(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.modulation = models[0]

        def forward(self):
            return torch.as_tensor(self.modulation.penalty(), dtype=torch.float64)

    both = torch.func.functional_call(Penalty(), {f"modulation.{n}": v for n, v in stacked.items()}, ())
    torch.testing.assert_close(both.expand(2), torch.stack(single))


def test_singular_values_are_those_of_the_change(small, random_model, any_modulation):
    cfg = small(f"modulation={any_modulation}", modulation__rank=3)
    model = random_model(cfg)
    codes = torch.randn(4, model.code_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = model.modulation.singular_values(codes)
    if not values:
        pytest.skip("shares no bases")
    updates = model.modulation(codes)
    assert values.keys() == {name for name, update in updates.items() if type(update) is not ShiftUpdate}
    shapes = {site.name: (site.out_features, site.in_features) for site in model.dynamics.sites}
    for name, singular in values.items():
        change = updates[name].dense(torch.zeros(shapes[name], dtype=torch.float64))
        expected = torch.linalg.svdvals(change)[..., : singular.shape[-1]]
        torch.testing.assert_close(singular.sort(-1, descending=True).values, expected, rtol=1e-5, atol=1e-5)


def test_singular_values_that_start_at_zero_under_the_relu_are_dead(small, random_model):
    """Why svd starts them above zero."""
    model = random_model(small("modulation=svd", modulation__start=0.0))
    x, dxdt = torch.randn(2, 2, 4, 2, dtype=torch.float64)
    rows = sum(size for (_, name, _), size in zip(model.modulation.layout, model.modulation.sizes, strict=True)
               if name == "singular_values")  # fmt: skip
    loss(model, x, dxdt, torch.zeros(2, 3, dtype=torch.float64)).sum().backward()
    assert model.modulation.hypernetwork.bias.grad[:rows].abs().max() == 0
    assert all(basis.grad.abs().max() == 0 for basis in model.modulation.left.values())
    assert model.modulation.diagnostics(torch.zeros(2, 3, dtype=torch.float64))["dead_singular_values"] == rows


def test_a_product_of_two_zero_factors_is_dead(small, random_model):
    """Why multi_rank starts one of its factors random."""
    model = random_model(small("modulation=multi_rank"))
    hypernetwork = model.modulation.hypernetwork
    factors = sum(size for (_, name, _), size in zip(model.modulation.layout, model.modulation.sizes, strict=True)
                  if name in ("left", "right"))  # fmt: skip
    x, dxdt = torch.randn(2, 2, 4, 2, dtype=torch.float64)
    codes = torch.zeros(2, 3, dtype=torch.float64)
    loss(model, x, dxdt, codes).sum().backward()
    assert hypernetwork.bias.grad[:factors].abs().max() > 0
    hypernetwork.zero_grad()
    with torch.no_grad():
        hypernetwork.bias[:factors] = 0
    loss(model, x, dxdt, codes).sum().backward()
    assert hypernetwork.bias.grad[:factors].abs().max() == 0
