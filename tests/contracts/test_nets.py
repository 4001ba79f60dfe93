"""What every net of conf/net promises; a new yaml is tested without an edit."""

from __future__ import annotations

import copy

import pytest
import torch

from metastruct.config.pieces import factory
from metastruct.modulation.full_weight import FullUpdate
from metastruct.nets.activation import ACTIVATIONS
from metastruct.nets.net import Net
from metastruct.nets.site import ShiftUpdate
from metastruct.running.validation.sites import sites

STATE, TASKS, POINTS = 4, 3, 2


@pytest.fixture(params=ACTIVATIONS, scope="module")
def activation(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def with_formula(small, any_net, activation) -> Net:
    """A scalar net of four inputs."""
    torch.manual_seed(0)
    net = factory(small(f"net={any_net}", net__width=5, net__activation=activation).net)(STATE, 1, True)
    return net.double()


@pytest.fixture(scope="module", params=["own_formula", "no_formula"])
def potential(request, with_formula) -> Net:
    """The same, and one that leaves its gradient to the base class."""
    if request.param == "own_formula":
        return with_formula
    net = copy.deepcopy(with_formula)
    net.gradient = lambda x, updates: Net.gradient(net, x, updates)
    return net


@pytest.fixture(scope="module")
def field(small, any_net) -> Net:
    """A net with as many outputs as inputs."""
    torch.manual_seed(0)
    try:
        return factory(small(f"net={any_net}", net__width=5).net)(STATE, STATE, False).double()
    except ValueError as error:
        assert "use another net" in str(error)  # noqa: PT017
        pytest.skip("is a potential only")


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.randn(TASKS, POINTS, STATE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def full_updates(net: Net, tasks: int = TASKS, seed: int = 2) -> dict:
    """A random change of every matrix and of every offset."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        site.name: FullUpdate(
            0.5 * draw(tasks, site.out_features, site.in_features),
            draw(tasks, site.out_features) if site.bias else None,
        )
        for site in net.sites
    }


def only(updates: dict, task: int) -> dict:
    return {
        name: FullUpdate(u.change[task : task + 1], None if u.shift is None else u.shift[task : task + 1])
        for name, u in updates.items()
    }


def nested(net: Net, x: torch.Tensor, updates: dict) -> torch.Tensor:
    """The gradient by autograd on top of autograd."""
    x = x if x.requires_grad else x.clone().requires_grad_()
    return torch.autograd.grad(net(x, updates).sum(), x, create_graph=True)[0]


def test_sites_have_names_of_their_own_and_known_tags(potential, any_net):
    names = [site.name for site in potential.sites]
    assert len(set(names)) == len(names)
    assert {site.tag for site in potential.sites} <= set(sites("net", any_net))


def test_every_site_has_its_weights_and_its_bias_by_name(with_formula):
    for site in with_formula.sites:
        *parts, name = site.name.split(".")
        owner = with_formula.get_submodule(".".join(parts))
        assert owner.weights[name].shape == (site.out_features, site.in_features)
        assert (name in owner.biases) == site.bias
        assert not site.bias or owner.biases[name].shape == (site.out_features,)


def test_every_site_changes_the_net_of_its_task_only(potential, x):
    plain = potential.gradient(x, {})
    for name, update in full_updates(potential).items():
        for part in (FullUpdate(update.change), ShiftUpdate(update.shift)):
            tensor = part.change if isinstance(part, FullUpdate) else part.shift
            if tensor is None:
                continue
            tensor[1:] = 0
            moved = (potential.gradient(x, {name: part}) - plain).abs().amax((-2, -1))
            assert moved[0] > 1e-6, f"{name} does not reach the gradient"
            assert moved[1:].max() < 1e-14


def test_value_and_gradient_have_the_stated_shapes(potential, x):
    assert potential(x, {}).shape == (TASKS, POINTS, 1)
    assert potential.gradient(x, {}).shape == x.shape


def test_a_field_has_as_many_outputs_as_asked(field, x):
    assert field(x, full_updates(field)).shape == x.shape
    assert (field.out_features, field.potential) == (STATE, False)


def test_a_field_reaches_all_its_parameters(field, x):
    gradients = torch.autograd.grad(field(x, {}).square().sum(), list(field.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_gradient_is_that_of_finite_differences(potential, x):
    updates, h = full_updates(potential), 1e-5
    with torch.no_grad():
        differences = torch.stack(
            [
                (potential(x + step, updates) - potential(x - step, updates)).squeeze(-1) / (2 * h)
                for step in h * torch.eye(STATE, dtype=torch.float64)
            ],
            dim=-1,
        )
    torch.testing.assert_close(potential.gradient(x, updates), differences, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("changed", [False, True], ids=["plain", "updated"])
def test_gradient_and_its_derivatives_are_those_of_nested_autograd(potential, x, changed):
    updates = full_updates(potential) if changed else {}
    tensors = [tensor for update in updates.values() for tensor in (update.change, update.shift) if tensor is not None]
    for tensor in tensors:
        tensor.requires_grad_()
    x = x.clone().requires_grad_()
    wanted = [x, *potential.parameters(), *tensors]
    cotangent = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    ours, theirs = potential.gradient(x, updates), nested(potential, x, updates)
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-13)
    ours = torch.autograd.grad((ours * cotangent).sum(), wanted, materialize_grads=True)
    theirs = torch.autograd.grad((theirs * cotangent).sum(), wanted, materialize_grads=True)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("own", [True, False], ids=["own_formula", "no_formula"])
def test_a_net_about_a_state_is_the_net_and_its_derivatives(field, x, own):
    updates = full_updates(field)
    about = field.linearised(x, updates) if own else Net.linearised(field, x, updates)
    tangent, cotangent = torch.randn(2, *x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    value, along = torch.func.jvp(lambda x: field(x, updates), (x,), (tangent,))
    torch.testing.assert_close(about.value, value)
    torch.testing.assert_close(about.along(tangent), along)
    torch.testing.assert_close(about.back(cotangent), torch.func.vjp(lambda x: field(x, updates), x)[1](cotangent)[0])


def as_function(net: Net, x: torch.Tensor):
    """The gradient as a function of x, of every parameter and of every number of the updates, and its arguments."""
    updates = full_updates(net, tasks=len(x))
    names = [name for name, _ in net.named_parameters()]
    values = [parameter.detach().clone() for parameter in net.parameters()]
    parts = [part for update in updates.values() for part in (update.change, update.shift) if part is not None]

    class Gradient(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x, parts):
            parts = iter(parts)
            made = {site.name: FullUpdate(next(parts), next(parts) if site.bias else None) for site in self.net.sites}
            return self.net.gradient(x, made)

    def function(x, *tensors):
        parameters = dict(zip((f"net.{name}" for name in names), tensors[: len(names)], strict=True))
        return torch.func.functional_call(Gradient(), parameters, (x, tensors[len(names) :]))

    arguments = [t.clone().requires_grad_() for t in (x, *values, *parts)]
    return function, arguments


@pytest.mark.few(6)
def test_gradient_passes_gradcheck(potential, x):
    function, arguments = as_function(potential, x[:2, :1])
    assert torch.autograd.gradcheck(function, arguments, fast_mode=True)


@pytest.mark.few(2)
def test_gradient_passes_gradgradcheck(potential, x):
    function, arguments = as_function(potential, x[:2, :1])
    assert torch.autograd.gradgradcheck(function, arguments, fast_mode=True)


@pytest.mark.few(12)
def test_gradient_runs_under_vmap_and_forward_mode(potential, x):
    expected = potential.gradient(x, {})
    torch.testing.assert_close(torch.func.vmap(lambda one: potential.gradient(one[None], {})[0])(x), expected)
    tangent = torch.ones_like(x)
    _, forward = torch.func.jvp(lambda x: potential.gradient(x, {}), (x,), (tangent,))
    h = 1e-6
    with torch.no_grad():
        ends = [potential.gradient(x + sign * h * tangent, {}) for sign in (1, -1)]
    torch.testing.assert_close(forward, (ends[0] - ends[1]) / (2 * h), rtol=1e-6, atol=1e-8)


def test_gradient_is_the_same_where_gradients_are_switched_off(potential, x):
    updates = full_updates(potential)
    with torch.no_grad():
        silent = potential.gradient(x, updates)
    assert not silent.requires_grad
    torch.testing.assert_close(silent, potential.gradient(x, updates), rtol=1e-12, atol=1e-14)


def test_gradient_of_a_potential_reaches_all_its_parameters(potential, x):
    gradients = torch.autograd.grad(potential.gradient(x, {}).square().sum(), list(potential.parameters()))
    for (name, _), gradient in zip(potential.named_parameters(), gradients, strict=True):
        assert gradient.abs().max() > 1e-10, f"{name} receives no gradient"


def test_a_batch_of_tasks_is_as_many_batches_of_one(potential, x):
    updates = full_updates(potential)
    for method in (potential, potential.gradient):
        single = torch.cat([method(x[k : k + 1], only(updates, k)) for k in range(TASKS)])
        torch.testing.assert_close(method(x, updates), single, rtol=1e-11, atol=1e-13)


def test_the_state_of_a_net_holds_all_that_was_drawn(small, any_net, x):
    nets = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        nets.append(factory(small(f"net={any_net}", net__width=5).net)(STATE, 1, True).double())
    one, other = nets
    assert not torch.equal(one(x, {}), other(x, {}))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(x, {}), other(x, {}))


def test_unknown_shapes_and_activations_are_refused(small, any_net):
    net = small(f"net={any_net}").net
    make = factory(net)
    for settings in ({"width": 0}, {"depth": 0}, {"activation": "relu"}):
        if not settings.keys() <= net.keys():
            continue
        with pytest.raises(ValueError, match=next(iter(settings))):
            make(STATE, 1, True, **settings)
