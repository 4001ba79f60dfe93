"""A recorded step is the step: the same numbers up to round-off, and no look at a value."""

from __future__ import annotations

import copy
import random
from functools import partial

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from metastruct.config.facts import facts_of
from metastruct.config.schema import Trainer
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.integrators.signal import Signal
from metastruct.learners.learner import Learner
from metastruct.learners.replicas import together
from metastruct.recording import recorded as recording
from metastruct.recording.passes import lean
from metastruct.running.assembly import build_learner, component
from metastruct.running.training import fit

STEPS = 4
WORDS = {
    "joint": ("modulation=svd",),
    "some_tasks": ("modulation=svd", "learner.task_batch=3"),
    "alternating": ("modulation=multi_rank", "learner.schedule=alternating", "learner.inner_steps=2"),
    "separable": ("system=mass_spring", "modulation=rank_one", "net=separable"),
    "graph": ("system=bodies", "modulation=svd", "net=graph"),
    "local_generic": ("system=damped_chain", "modulation=svd", "net=graph", "dynamics=local_generic"),
    "reset": ("modulation=shift", "learner.schedule=alternating", "learner.codes=reset"),
    "exact_bases": ("modulation=svd", "modulation.exact=true"),
    "soap": ("modulation=svd", "optimizer=soap"),
    "gnode": ("system=damped_oscillator", "modulation=svd"),
    "nms": ("system=two_gas_containers", "bracket=nms", "modulation=full_weight"),
}
WAITS = {"_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "_unique2"}


@pytest.fixture(scope="module")
def make(composed, small, oscillators):
    """Makes a learner of some words, in float32 as in training."""

    def made(*words: str, seeds: tuple[int, ...] = (0,)) -> Learner:
        recordings = oscillators(5, 30, component(composed(*words).system).state_dim)
        frame = {"learner__task_batch": 5, "learner__point_batch": 4, "trainer__steps": 40}
        given = {word.partition("=")[0].replace(".", "__") for word in words}
        learners = []
        for seed in seeds:
            cfg = small(*words, **{key: value for key, value in frame.items() if key not in given})
            cfg.seed = seed
            learners.append(build_learner(cfg, recordings).float())
        learner = learners[0] if len(seeds) == 1 else together(learners)
        learner.configure_optimizers()
        return learner

    return made


def steps(learner: Learner, first: int = 0) -> list[torch.Tensor]:
    """Losses, then all that is trained."""
    losses = [learner.outer_update(step) for step in range(first, first + STEPS)]
    return [*losses, *(parameter.detach().clone() for parameter in learner.parameters())]


def assert_identical(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def assert_close(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def in_double(learner: Learner) -> Learner:
    learner.double().configure_optimizers()
    return learner


def assert_recorded_as_plain(monkeypatch, make) -> None:
    plain = steps(in_double(make()))
    monkeypatch.setattr(recording, "PATIENCE", 1)
    learner = in_double(make())
    assert_close(steps(learner), plain)
    assert any(each.programs for each in learner.recordings.values())


@pytest.mark.few(2)
def test_every_learner_takes_the_same_steps_from_a_recording(monkeypatch, make, any_learner):
    if not facts_of("learner", any_learner).trains:
        pytest.skip("trains nothing")
    assert_recorded_as_plain(monkeypatch, lambda: make(f"learner={any_learner}"))


@pytest.mark.few(2)
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_every_protocol_takes_the_same_steps_from_a_recording(monkeypatch, make, words):
    assert_recorded_as_plain(monkeypatch, lambda: make(*words))


def test_seeds_side_by_side_take_the_same_steps_from_a_recording(monkeypatch, make):
    assert_recorded_as_plain(monkeypatch, lambda: make("modulation=svd", seeds=(0, 1)))


def test_what_is_recorded_ends_where_the_numbers_go_elsewhere(monkeypatch, make):
    def in_both_precisions() -> list[torch.Tensor]:
        learner = make("modulation=svd")
        single = steps(learner)
        return [*single, *steps(in_double(learner), STEPS)]

    plain = in_both_precisions()
    monkeypatch.setattr(recording, "PATIENCE", 0)
    for ours, theirs in zip(in_both_precisions(), plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_copy_steps_alone(monkeypatch, make):
    monkeypatch.setattr(recording, "PATIENCE", 0)
    learner = make("modulation=svd")
    learner.outer_update(0)
    before = [parameter.detach().clone() for parameter in learner.parameters()]
    other = copy.deepcopy(learner)
    steps(other, 1)
    assert_identical([parameter.detach() for parameter in learner.parameters()], before)
    assert all((ours != theirs).any() for ours, theirs in zip(other.parameters(), before, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("patience", [1, 100], ids=["recorded", "plain"])
@pytest.mark.parametrize(
    "words", [*WORDS.values(), ("optimizer=gauss_newton",), ("learner=maml",), ("learner=reptile",)]
)
def test_a_cuda_device_takes_the_same_steps(monkeypatch, make, words, patience):
    plain = steps(in_double(make(*words)))
    monkeypatch.setattr(recording, "PATIENCE", patience)
    learner = in_double(make(*words).to("cuda"))
    for ours, theirs in zip(steps(learner), plain, strict=True):
        assert ours.is_cuda
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-7, atol=1e-9)


class Waits(TorchDispatchMode):
    """What a device would have to be waited for."""

    def __init__(self):
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in WAITS or (name == "_to_copy" and (kwargs or {}).get("device") is not None):
            self.names.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.few(2)
@pytest.mark.parametrize("patience", [0, 100], ids=["recorded", "plain"])
@pytest.mark.parametrize("words", ["joint", "some_tasks", "soap", "gnode"])
def test_a_step_waits_for_no_device(monkeypatch, make, words, patience):
    monkeypatch.setattr(recording, "PATIENCE", patience)
    learner = make(*WORDS[words])
    steps(learner)
    with Waits() as waits:
        steps(learner, STEPS)
    assert waits.names == []


def test_a_look_at_a_value_is_seen():
    with Waits() as waits:
        float(torch.ones(()))
    assert waits.names == ["_local_scalar_dense"]


@pytest.mark.few(1)
@pytest.mark.parametrize("words", ["joint", "gnode", "nms"])
@pytest.mark.parametrize("driven", [False, True], ids=["free", "driven"])
def test_a_recorded_flow_is_the_flow(monkeypatch, small, random_model, words, driven):
    monkeypatch.setattr(recording, "PATIENCE", 1)
    model = random_model(small(*WORDS[words]), gain=3.0)
    inputs = None
    if driven:
        model.dynamics.vector_field = partial(with_inputs, model.dynamics.vector_field)
        inputs = Signal(
            torch.tensor([0.0, 1.0], dtype=torch.float64), torch.tensor([[0.5], [2.0]], dtype=torch.float64)
        )
    size = len(model.dynamics.state_mean)
    x = torch.randn(2, 3, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    times = torch.linspace(0.0, 1.0, 4, dtype=torch.float64)
    with torch.no_grad():
        updates = model.modulation(torch.ones(2, model.code_dim, dtype=torch.float64))
    plain, replayed = (model.dynamics.flow(updates, inputs, recorded=recorded) for recorded in (False, True))
    for states in (x, x[:, :1]):
        ours, theirs = (rollout(flow, states, times, RK4(0.1)) for flow in (replayed, plain))
        assert torch.equal(ours, theirs)
        assert (ours[..., -1, :] != ours[..., 0, :]).any()


def with_inputs(vector_field, x: torch.Tensor, updates, u: torch.Tensor | None = None) -> torch.Tensor:
    return vector_field(x, updates) if u is None else u * vector_field(x, updates)


def operations(function, *tensors: torch.Tensor, compiled: bool = False) -> list[str]:
    """What is left of a function in a recording, which gives what the function gives."""
    line = lean(make_fx(function)(*tensors), tensors, compiled)
    for ours, theirs in zip(line(*(each.clone() for each in tensors)), function(*tensors), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0.0)
        assert ours.stride() == theirs.stride()
    return [node.target.overloadpacket.__name__ for node in line.graph.nodes if node.op == "call_function"]


def test_a_recording_does_nothing_twice_and_nothing_idle():
    def function(x):
        return (x.detach().view(x.shape).exp() + x.exp(),)

    assert operations(function, torch.ones(3, 2)) == ["exp", "add_"]


def test_looks_at_what_is_done_several_times_are_looks_at_the_first():
    """The parts of a split, one of them as large as the whole, of a result that is computed three times."""

    def function(x):
        first, second, third = (x.exp().split([0, 2], -1)[1] for _ in range(3))
        return (first.cos() + second.sin() + third.cos() * third.sin(),)

    assert {"exp", "cos", "sin"} <= {*(names := operations(function, torch.ones(3, 2)))}
    assert [names.count(name) for name in ("exp", "cos", "sin")] == [1, 1, 1]


def test_a_recording_reads_again_what_was_written_into():
    def function(x):
        y = x.exp()
        before = y.sin()
        y.view(6).mul_(3.0)
        z = x.exp()
        return before + y.sin(), z

    assert operations(function, torch.ones(3, 2)).count("sin") == 2


def test_a_recording_holds_its_constants_and_its_looks_at_parameters():
    weight = torch.nn.Parameter(torch.arange(6.0).view(2, 3))

    def function(x):
        return (x @ weight.detach().mT.mT.mT * (torch.ones_like(x).sum() + torch.eye(2).sum()),)

    x = torch.ones(4, 3)
    assert operations(function, x) == ["mm", "mul_"]
    line = lean(make_fx(function)(x), [x])
    with torch.no_grad():
        weight.mul_(2.0)
    assert torch.equal(line(x)[0], function(x)[0])


def test_a_recording_makes_narrow_products_as_their_transposes():
    x, y = torch.randn(2, 40, 16, generator=torch.Generator().manual_seed(0))
    assert operations(lambda x, y: (x.mT @ y,), x, y[:, :4]) == ["transpose", "mm", "transpose", "clone"]
    assert operations(lambda x, y: (x.mT @ y,), x, y) == ["transpose", "mm"]
    turned = ["transpose", "transpose", "mm", "transpose", "clone"]
    assert operations(lambda x, y: (x @ y,), x.mT.contiguous(), y[:, :4]) == turned
    assert operations(lambda x, y: (x @ y,), x.mT[:4].contiguous(), y[:, :4]) == ["mm"]


def test_a_compiler_is_given_products_and_sums():
    def function(x):
        return ((x @ x).addmm_(x, x), x.exp().addmm_(x, x))

    assert operations(function, torch.eye(2), compiled=True) == ["mm", "mm", "add", "exp", "addmm_"]
    assert operations(function, torch.eye(2)) == ["mm", "addmm_", "exp", "addmm_"]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: (x.exp() + x @ x,), ["exp", "addmm_"]),
        (lambda x: (x + x @ x,), ["mm", "add_"]),  # the memory of an argument
        (lambda x: ((y := x.exp()) + y @ x,), ["exp", "mm", "add_"]),  # is read by the product
        (lambda x: (x.exp() + (y := x @ x), y), ["exp", "mm", "add_"]),  # the product is read by another
        (lambda x: (x[0].exp() + x @ x,), ["select", "exp", "mm", "add_"]),  # another form
    ],
)
def test_a_product_gathers_where_it_is_added(function, expected):
    assert operations(function, torch.arange(4.0).view(2, 2) + 1.0) == expected


def overwritten(x):
    """Two sums gather products; the memory of the first holds what the second product reads."""
    a = x.exp()
    product = a @ x
    first = a + x @ x
    return (first.sin() + product,)


def overwritten_through_a_look(x):
    a = x.exp()
    product = a.mT @ x
    first = a + x @ x
    return (first.sin() + product,)


def overwritten_twice(x):
    a = x.exp()
    product = x @ a
    first = a + x @ x
    second = first + x.mT @ x
    return (second.sin() + product,)


def scaled_through_a_look(x):
    """What is added is not the product as it was made."""
    product = x @ x
    product.view(4).mul_(3.0)
    return (x.exp() + product,)


@pytest.mark.parametrize(
    ("function", "gathers"),
    [(overwritten, 1), (overwritten_through_a_look, 1), (overwritten_twice, 2), (scaled_through_a_look, 0)],
)
def test_a_product_is_not_made_after_what_it_reads_was_overwritten(function, gathers):
    assert operations(function, torch.arange(4.0).view(2, 2) + 1.0).count("addmm_") == gathers


def random_line(seed: int, length: int = 20):
    """A function of two square matrices: products, sums, looks, results, and what is written in place."""
    draws = random.Random(seed)
    steps = [(draws.random(), [draws.random() for _ in range(3)]) for _ in range(length)]
    results = draws.randint(1, 3)

    def function(x, y):
        values = [x, y, x.sin(), y.cos()]
        for kind, places in steps:
            p, q, r = (values[int(place * len(values))] for place in places)
            values.append(LINES[int(kind * len(LINES))](p, q, r))
        return tuple(value.clone() for value in values[-results:])

    return function


LINES = [
    *6 * [lambda p, q, r: p @ q, lambda p, q, r: p + q],
    *(lambda p, q, r: p.mT, lambda p, q, r: p.view(4).view(2, 2) if p.is_contiguous() else p.clone()),
    *(lambda p, q, r: 0.5 * p, lambda p, q, r: p * q, lambda p, q, r: p - q, lambda p, q, r: torch.ones_like(p) + q),
    *(lambda p, q, r: p.sin(), lambda p, q, r: p.clone().mul_(0.9), lambda p, q, r: p.clone().addmm_(q, r)),
    lambda p, q, r: (a := p.sin().contiguous(), b := a @ q, a.view(4).mul_(0.9), b.view(4).mul_(0.9), r + b)[-1],
]


@pytest.mark.few(30)
@pytest.mark.parametrize("seed", range(300))
def test_any_recording_gives_the_same_numbers_again_and_again(seed):
    x, y = torch.randn(2, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    function = random_line(seed)
    line = lean(make_fx(function)(x, y), (x, y))
    for _ in range(2):
        for ours, theirs in zip(line(x, y), function(x, y), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: (x.exp() * 2.0 - x,), ["exp", "mul_", "sub_"]),
        (lambda x: (x * 2.0,), ["mul"]),  # the memory of an argument
        (lambda x: ((y := x.exp()) * 2.0, y), ["exp", "mul"]),  # is read as a result
        (lambda x: (x.exp() * (y := x.sin()) + y.view(4).sum(),), ["exp", "sin", "mul_", "view", "sum", "add_"]),
        (lambda x: ((y := x.exp()) * (z := y.mT) + z.sum(),), ["exp", "transpose", "mul", "sum", "add_"]),
        (lambda x: (x.exp()[:, :1] * x,), ["exp", "slice", "mul"]),  # another form
        (lambda x: (2.0 * x.exp().double() * x.exp(),), ["exp", "_to_copy", "mul_", "mul_"]),
        (lambda x: ((y := x.sin().addcmul_(x, x)) * 2.0, y * y), ["sin", "addcmul_", "mul", "mul_"]),
    ],
)
def test_a_result_takes_memory_that_nobody_reads_after(function, expected):
    assert operations(function, torch.arange(4.0).view(2, 2) + 1.0) == expected


def test_a_recording_draws_random_numbers_anew():
    def function(x):
        return (torch.rand_like(x) - torch.rand_like(x),)

    line = lean(make_fx(function)(torch.ones(3)), [torch.ones(3)])
    assert (line(torch.ones(3))[0] != 0).all()


@pytest.mark.torture  # a compilation takes half a minute of a busy core
@pytest.mark.parametrize("words", ["joint", "some_tasks"])
def test_a_compiled_step_is_the_step_up_to_round_off(make, words):
    ended = []
    for compiled in (False, True):
        learner = in_double(make(*WORDS[words]))
        for each in learner.recordings.values():
            if compiled:
                each.compile()
        ended.append(steps(learner))
    assert_close(*ended)


@pytest.mark.parametrize("count", [6, 7])
def test_a_training_is_recorded_from_its_first_step_on_or_never(monkeypatch, make, count):
    monkeypatch.setattr(recording, "PATIENCE", 6)
    learner = make("optimizer=adam", "learner.schedule=alternating", "learner.inner_steps=4")
    learner.steps, learner.steps_per_epoch = count, 2
    while not learner.ended:
        learner.advance()
        assert any(each.programs for each in learner.recordings.values()) == (count > 6)


@pytest.mark.parametrize(
    ("setting", "count", "compiler", "expected"),
    [
        ("auto", recording.LONG, True, True),
        ("auto", recording.LONG - 1, True, False),
        ("auto", recording.LONG, False, False),
        ("always", 1, True, True),
        ("never", recording.LONG, True, False),
    ],
)
def test_a_training_is_compiled_where_it_is_long_enough(
    monkeypatch, make, tmp_path, setting, count, compiler, expected
):
    monkeypatch.setattr("metastruct.running.training.has_compiler", lambda: compiler)
    monkeypatch.setattr("metastruct.running.training.LightningTrainer.fit", lambda *arguments, **more: None)
    learner = make("modulation=svd")
    learner.steps = count
    fit(learner, tmp_path, Trainer(accelerator="cpu", checkpoint_seconds=0.0, compile=setting), None)
    assert {each.compiled for each in learner.recordings.values()} == {expected}
