"""What an outer step costs, as ratios of steps, and training around it."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from metastruct.benchmark.timing import WORDS, learner, ratio

LARGE = 1024  # sides of a product that runs at full speed


def made(words: str, *more: str) -> Any:
    """A learner of words of conf/benchmark.yaml."""
    return learner(*WORDS[words].split(), *more)


def svd_over_shift() -> float:
    """One outer step of svd(5) over one of shift."""
    svd, shift = made("low_rank"), made("no_rank")
    return ratio(lambda: svd.outer_update(0), lambda: shift.outer_update(0))


def training_over_before() -> float:
    """Processor time of the training of the main job over that of the Adam steps that it took before.

    A fortieth of these is made, as fast as they are now and not as they were then, so no bar of those days holds here.
    """
    new, old = made("main", WORDS["by_default"]), made("main", WORDS["before"]["words"])
    old.advance()  # which records it
    times = []
    for one, steps in ((new, new.steps), (old, WORDS["before"]["steps"] // 40)):
        began, end = time.process_time(), one.outer_step + steps
        while one.outer_step < end:
            one.advance()
        times.append(time.process_time() - began)
    return times[0] / (40 * times[1])


def generic_over_hamiltonian(bracket: str) -> float:
    """One outer step of svd(3) with a bracket and two potentials over one of a Hamiltonian net of the same size."""
    generic = made("two_potentials", f"bracket={bracket}")
    hamiltonian = made("one_potential")
    return ratio(lambda: generic.outer_update(0), lambda: hamiltonian.outer_update(0))


def recorded_products(call: Callable[[], object]) -> list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
    """Every matrix product that a call makes, with its arguments, ready to be replayed."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    products = {"mm", "bmm", "addmm", "baddbmm", "addmm_", "baddbmm_"}
    calls = []

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func.overloadpacket.__name__ in products:
                calls.append(
                    (func, tuple(a.detach() if isinstance(a, torch.Tensor) else a for a in args), kwargs or {})
                )
            return func(*args, **(kwargs or {}))

    with Recorder():
        call()
    return calls


def step_over_products(large: bool) -> float:
    """One outer step of svd(5) over its matrix products replayed alone, all of them or those of width x width."""
    svd = made("low_rank")
    svd.outer_update(0)
    calls = recorded_products(lambda: svd.outer_update(1))
    if large:
        width = next(iter(svd.model.dynamics.nets.values())).sites[0].out_features

        def is_large(args: tuple[Any, ...]) -> bool:
            a, b = args[-2:]
            return sorted([*a.shape, *b.shape])[-4] >= width

        calls = [entry for entry in calls if is_large(entry[1])]

    def replay() -> None:
        for func, args, kwargs in calls:
            func(*args, **kwargs)

    return ratio(lambda: svd.outer_update(1), replay)


def floating_operations(call: Callable[[], object]) -> int:
    """Of all matrix products of a call: two for each number of the left factor and column of the right one."""
    return sum(2 * args[-2].numel() * args[-1].shape[-1] for _, args, _ in recorded_products(call))


def step_over_floor(compiled: bool) -> float:
    """One outer step of svd(5) over its floating point operations at the speed of a large product."""
    import torch

    svd = made("low_rank")
    svd.outer_update(0)  # which records it
    operations = floating_operations(lambda: svd.outer_update(0))
    if compiled:
        for recording in svd.recordings.values():
            recording.compile()
    left, right, product = torch.randn(3, LARGE, LARGE)
    block = range(20)  # a step follows a step, with what that left in the caches

    def large() -> None:
        torch.mm(left, right, out=product)  # fresh memory would slow it down by two per cent

    over_large = ratio(lambda: [svd.outer_update(i) for i in block], large, clock=time.thread_time)
    return over_large / len(block) * 2 * LARGE**3 / operations


def batched_over_loop() -> float:
    """A Python loop over the tasks of a batch over the one batched step."""
    import torch

    svd = made("low_rank")

    def loop() -> None:
        batch = svd.batches[1]
        parameters, total, rows = [*svd.model.parameters()], None, []
        for task in range(70):
            code = svd.codes.detach()[task : task + 1].requires_grad_()
            observed = svd.observed(batch.tasks[task : task + 1], batch.points[0, task : task + 1])
            loss = svd.loss_of(observed, code).sum()
            loss = loss + svd.locality["lambda_z"] * torch.linalg.vector_norm(code) + svd._locality_of_the_base()
            row, *gradients = torch.autograd.grad(loss, [code, *parameters])
            rows.append(row)
            total = gradients if total is None else [a + b for a, b in zip(total, gradients, strict=True)]
        svd.codes.grad = torch.cat(rows)
        for parameter, gradient in zip(parameters, total or [], strict=True):
            parameter.grad = gradient
        for rule in svd.rules:
            rule.step()

    return ratio(loop, lambda: svd.outer_update(1), rounds=15)


def maml_over_loop(width: int, points: int) -> float:
    """A Python loop over the 10 tasks of a second-order MAML step over the one batched step, 5 inner steps."""
    import torch

    settings = ("inner_steps=5", "task_batch=10", f"point_batch={points}")
    maml = made("second_order", f"net.width={width}", *(f"learner.{setting}" for setting in settings))

    def loop() -> None:
        total = None
        support, query = maml.drawn(1)
        for task in range(10):
            span = slice(task, task + 1)
            loss = maml.outer_losses(support.of(span), query.of(span)).sum() / 10
            gradients = torch.autograd.grad(loss, maml.trained)
            total = gradients if total is None else [a + b for a, b in zip(total, gradients, strict=True)]
        maml.step_along(total, 1)

    return ratio(loop, lambda: maml.outer_update(1), rounds=15)


def replicas_over(singles: int, device: str) -> float:
    """One outer step of svd(5) with 8 replicas over so many of one seed."""
    import torch

    from metastruct.learners.replicas import together

    one, *rest = (learner(f"seed={seed}").to(device) for seed in range(9))
    eight = together(rest)
    for each in (one, eight):
        each.configure_optimizers()
    wait: Callable[[], object] = torch.cuda.synchronize if device == "cuda" else int

    def batched() -> None:
        eight.outer_update(1)
        wait()

    def alone() -> None:
        for _ in range(singles):
            one.outer_update(1)
        wait()

    return ratio(batched, alone)


def trainer_over_bare() -> float:
    """Training under Lightning with logging over a bare loop of the same steps, less one, in per cent."""
    from lightning.pytorch.loggers import WandbLogger  # noqa: F401  the import is not part of the training

    from metastruct.config.schema import Trainer
    from metastruct.running.tracking.wandb import wandb_logger
    from metastruct.running.training import fit

    steps, shares = 500, []
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        settings = Trainer(accelerator="cpu", checkpoint_seconds=5.0)
        logger = wandb_logger("offline", "benchmark", where, "benchmark", "benchmark", [], {})
        for repeat in range(3):
            bare, framed = learner(f"trainer.steps={steps}"), learner(f"trainer.steps={steps}")
            clock = time.perf_counter()
            for step in range(steps):
                bare.outer_update(step)
            alone = time.perf_counter() - clock
            store = where / f"store{repeat}"
            store.mkdir()
            clock = time.perf_counter()
            fit(framed, store, settings, logger)
            shares.append((time.perf_counter() - clock) / alone - 1)
        if logger is not None:
            logger.experiment.finish()
    return 100 * statistics.median(shares)
