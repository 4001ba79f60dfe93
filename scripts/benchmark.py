"""Print the figures of merit: python scripts/benchmark.py [--json] [--only WORD]

Ratios are medians of interleaved timings in one process, on one thread, warm. Whole-process figures start the real
command. Accuracy figures run `train.py` for every seed; runs that are finished in outputs/ are not repeated.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastruct.runs.folder import RunFolder

ROOT = Path(__file__).resolve().parents[1]
TRAIN = [sys.executable, str(ROOT / "train.py")]
Figure = tuple[str, Callable[[], float], float, str, str]  # name, measure, bar, sense ("max" or "min"), unit


def interleaved(*calls: Callable[[], object], rounds: int = 60) -> list[list[float]]:
    """Seconds of each call, `rounds` times in turn, after a warm-up."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        for _ in range(5):
            call()
    for _ in range(rounds):
        for call, taken in zip(calls, times, strict=True):
            began = time.perf_counter()
            call()
            taken.append(time.perf_counter() - began)
    return times


def ratio(numerator: Callable[[], object], denominator: Callable[[], object], rounds: int = 60) -> float:
    """Median over rounds of one time over the other."""
    first, second = interleaved(numerator, denominator, rounds=rounds)
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


def learner(*overrides: str) -> Any:
    """A learner as train.py makes it, with its optimizers, ready for `outer_update`."""
    import torch
    from omegaconf import OmegaConf

    from metastruct.assembly import build_learner, component
    from metastruct.config import composed
    from metastruct.data.datamodule import FamilyData
    from metastruct.runs.folder import data_folder

    torch.set_num_threads(1)
    cfg = composed(*overrides, f"outputs={ROOT / 'outputs'}")
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    data = FamilyData(component(cfg.system), data_folder(settings), settings["data"], print)
    made: Any = build_learner(cfg, data.train_tasks())
    made.configure_optimizers()
    made.data = data
    return made


def svd_over_shift() -> float:
    """One outer step of svd(5) over one of shift."""
    svd, shift = learner("modulation=svd", "rank=5"), learner("modulation=shift")
    return ratio(lambda: svd.outer_update(0), lambda: shift.outer_update(0))


def generic_over_hamiltonian(bracket: str) -> float:
    """One outer step of svd(3) with a bracket and two potentials over one of a Hamiltonian net of the same size."""
    generic = learner("system=damped_oscillator", "modulation=svd", "rank=3", "net.depth=3", f"bracket={bracket}")
    hamiltonian = learner("system=pendulum", "modulation=svd", "rank=3", "net.depth=3")
    return ratio(lambda: generic.outer_update(0), lambda: hamiltonian.outer_update(0))


def recorded_products(call: Callable[[], object]) -> list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
    """Every matrix product that a call makes, with its arguments, ready to be replayed."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    products = {"mm", "bmm", "addmm", "baddbmm", "addmm_", "baddbmm_"}
    found = []

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func.overloadpacket.__name__ in products:
                found.append(
                    (func, tuple(a.detach() if isinstance(a, torch.Tensor) else a for a in args), kwargs or {})
                )
            return func(*args, **(kwargs or {}))

    with Recorder():
        call()
    return found


def step_over_products(large: bool) -> float:
    """One outer step of svd(5) over its matrix products replayed alone, all of them or those of width x width."""
    svd = learner("modulation=svd", "rank=5")
    svd.outer_update(0)
    found = recorded_products(lambda: svd.outer_update(1))
    if large:
        width = svd.model.dynamics.nets["hamiltonian"].sites[0].out_features

        def is_large(args: tuple[Any, ...]) -> bool:
            a, b = args[-2:]
            return sorted([*a.shape, *b.shape])[-4] >= width

        found = [entry for entry in found if is_large(entry[1])]

    def replay() -> None:
        for func, args, kwargs in found:
            func(*args, **kwargs)

    return ratio(lambda: svd.outer_update(1), replay)


def batched_over_loop() -> float:
    """A Python loop over the tasks of a batch over the one batched step."""
    import torch

    svd = learner("modulation=svd", "rank=5")

    def loop() -> None:
        batch = svd.batches[1]
        parameters, total, rows = [*svd.model.parameters()], None, []
        for task in range(70):
            code = svd.codes.detach()[task : task + 1].requires_grad_()
            observed = svd.observed(batch.tasks[task : task + 1], batch.points[0, task : task + 1])
            loss = svd.model.task_loss(*observed, code).sum()
            loss = loss + svd.locality["lambda_z"] * torch.linalg.vector_norm(code) + svd._locality_of_the_base()
            row, *gradients = torch.autograd.grad(loss, [code, *parameters])
            rows.append(row)
            total = gradients if total is None else [a + b for a, b in zip(total, gradients, strict=True)]
        svd.codes.grad = torch.cat(rows)
        for parameter, gradient in zip(parameters, total or [], strict=True):
            parameter.grad = gradient
        for optimizer in svd.optimizers_of_a_step:
            optimizer.step()

    return ratio(loop, lambda: svd.outer_update(1), rounds=15)


def maml_over_loop(width: int, points: int) -> float:
    """A Python loop over the 10 tasks of a second-order MAML step over the one batched step, 5 inner steps."""
    import torch

    settings = ("inner_steps=5", "task_batch=10", f"point_batch={points}")
    maml = learner("learner=maml", f"net.width={width}", *(f"learner.{setting}" for setting in settings))

    def loop() -> None:
        total = None
        support, query = maml.drawn(1)
        for task in range(10):
            own = slice(task, task + 1)
            loss = maml.outer_losses(*((x[own], dxdt[own]) for x, dxdt in (support, query))).sum() / 10
            gradients = torch.autograd.grad(loss, maml.trained)
            total = gradients if total is None else [a + b for a, b in zip(total, gradients, strict=True)]
        maml.step_along(total, 1)

    return ratio(loop, lambda: maml.outer_update(1), rounds=15)


def replicas_over(singles: int, device: str) -> float:
    """One outer step of svd(5) with 8 replicas over so many of one seed."""
    import torch

    from metastruct.learners.replicas import together

    one, *others = (learner(f"seed={seed}").to(device) for seed in range(9))
    eight = together(others)
    for made in (one, eight):
        made.configure_optimizers()
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

    from metastruct.tracking.wandb import wandb_logger
    from metastruct.training import fit

    steps, shares = 500, []
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        settings = {"accelerator": "cpu", "checkpoint_seconds": 5.0}
        logger = wandb_logger("offline", "benchmark", where, "benchmark", "benchmark", [], {})
        for repeat in range(3):
            bare, ours = learner(f"trainer.steps={steps}"), learner(f"trainer.steps={steps}")
            clock = time.perf_counter()
            for step in range(steps):
                bare.outer_update(step)
            alone = time.perf_counter() - clock
            store = where / f"store{repeat}"
            store.mkdir()
            clock = time.perf_counter()
            fit(ours, ours.data, store, settings, logger)
            shares.append((time.perf_counter() - clock) / alone - 1)
        logger.experiment.finish()
    return 100 * statistics.median(shares)


def whole_process(*overrides: str) -> float:
    """Seconds of one train.py from the shell, data cached, everything else new."""
    learner(*(word for word in overrides if word.startswith("system=")))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "outputs" / "data", Path(folder) / "data")
        clock = time.perf_counter()
        command = [*TRAIN, *overrides, f"outputs={folder}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        return time.perf_counter() - clock


def runs(words: str, seeds: Sequence[int] = (0, 1, 2)) -> list[RunFolder]:
    """The run folders of a setting, one a seed, run now where they are not finished."""
    from metastruct.launchers.sequential import Sequential
    from metastruct.sweeps.plan import Plan, carry_out
    from metastruct.sweeps.table import planned

    jobs = [*planned("main", tuple(words.split()), seeds, ROOT / "outputs")]
    plan = Plan.of(jobs)
    carry_out(plan, Sequential(), True, partial(print, file=sys.stderr, flush=True))
    for error in plan.failed.values():
        raise SystemExit(f"error: {words}: {error}")
    return [job.run for job in jobs]


def start_up() -> float:
    """Time that a job of a sweep spends outside of its run, in per cent of the run; the server starts once a sweep."""
    from metastruct.launchers.sequential import Sequential
    from metastruct.sweeps.plan import Plan, carry_out
    from metastruct.sweeps.table import planned

    learner("modulation=shift")  # simulates the data
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "outputs" / "data", Path(folder) / "data")
        words = ("system=pendulum", "modulation=shift", "trainer.steps=600")
        plan = Plan.of(planned("benchmark", words, range(6), Path(folder)))
        outcomes = carry_out(plan, Sequential(), False, lambda _: None)
        metrics = [json.loads((outcome.job.folder / "metrics.json").read_text()) for outcome in outcomes]
    shares = [outcome.seconds / own["seconds"]["total"] - 1 for outcome, own in zip(outcomes, metrics, strict=True)]
    return 100 * statistics.median(shares[1:])


def accuracy(metric: str, words: str) -> float:
    """Mean over seeds and test tasks of a metric (x 1e-2), from finished runs or new ones."""
    from metastruct.reports.tables import read_records, seed_means

    return 100 * statistics.mean(seed_means(read_records(run.records for run in runs(words)), metric).values())


PENDULUM = "system=pendulum modulation=svd rank=5"
LEVENBERG = "adaptation=levenberg_marquardt"


def pendulum_support(*overrides: str) -> tuple[Any, Any]:
    """The model of the first seed, loaded, and the support data of its ten test tasks, 200 points each."""
    import torch
    from omegaconf import OmegaConf

    import metastruct
    from metastruct.assembly import component
    from metastruct.data.datamodule import FamilyData
    from metastruct.data.tasks import split_support
    from metastruct.runs.folder import data_folder

    folder = runs(" ".join((PENDULUM, *overrides)), (0,))[0]
    torch.set_num_threads(1)
    cfg: Any = OmegaConf.load(folder.config)
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    data = FamilyData(component(cfg.system), data_folder(settings), settings["data"], print)
    return metastruct.load(folder.path), split_support(data.test, cfg.data.support_trajectories, 200, cfg.seed)[0]


def ten_tasks(*overrides: str) -> float:
    """Seconds that Levenberg-Marquardt takes for ten new tasks at once."""
    from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt

    model, support = pendulum_support(*overrides)
    trained, adaptation = model._trained, LevenbergMarquardt(20)
    start, prior = trained.start(len(support), "mean"), trained.prior()

    def adapt() -> None:
        adaptation.fit(trained.model, support.states, support.derivatives, start, prior)

    return statistics.median(interleaved(adapt, rounds=15)[0])


def one_task(*overrides: str) -> float:
    """Milliseconds from numpy arrays to an adapted member."""
    model, support = pendulum_support(*overrides)
    states, derivatives = support.states[0].numpy(), support.derivatives[0].numpy()
    return 1e3 * statistics.median(interleaved(lambda: model.adapt(states, derivatives), rounds=30)[0])


def levenberg_over_gradient(metric: str, *overrides: str) -> float:
    """A metric after Levenberg-Marquardt over the same after 300 gradient steps, each the mean of 3 seeds."""
    from metastruct.reports.tables import read_records, seed_means

    means = []
    for adaptation in (LEVENBERG, "adaptation=gradient"):
        rows = read_records(run.records for run in runs(" ".join((PENDULUM, *overrides, adaptation))))
        means.append(statistics.mean(seed_means(rows, metric).values()))
    return means[0] / means[1]


def coverage(*overrides: str) -> float:
    """Per cent of the true field's components inside of their error bars of 1.96 std, at the query states."""
    from metastruct.reports.tables import read_records, seed_means

    rows = read_records(run.records for run in runs(" ".join((PENDULUM, *overrides, LEVENBERG))))
    return 100 * statistics.mean(seed_means(rows, "coverage_95").values())


def adaptation_figures(*overrides: str) -> list[Figure]:
    """Of Levenberg-Marquardt on pendulum, svd(5); `overrides` measure them on another training."""
    listed: list[Figure] = [
        ("Levenberg-Marquardt, 10 tasks of 200 points", partial(ten_tasks, *overrides), 0.3, "max", "s"),
        ("Levenberg-Marquardt, one task, numpy to member", partial(one_task, *overrides), 50.0, "max", "ms"),
    ]
    for metric, bar in (("support_loss", 1.0), ("field_error", 1.1), ("trajectory_error", 1.25)):
        measure = partial(levenberg_over_gradient, metric, *overrides)
        listed.append((f"Levenberg-Marquardt over gradient, {metric.replace('_', ' ')}", measure, bar, "max", "x"))
    listed.append(("coverage of error bars of 95 %", partial(coverage, *overrides), float("-inf"), "min", "%"))
    return listed


def figures() -> list[Figure]:
    """Every figure with its bar; those of a GPU where there is one."""
    from metastruct.launchers.gpu_pool import visible_gpus

    listed: list[Figure] = [
        ("outer step, svd(5) over shift", svd_over_shift, 1.5, "max", "x"),
        ("outer step over all its matrix products", lambda: step_over_products(False), 1.6, "max", "x"),
        ("outer step over its large matrix products", lambda: step_over_products(True), float("inf"), "max", "x"),
        (
            "GENERIC outer step (gnode) over a Hamiltonian one",
            partial(generic_over_hamiltonian, "gnode"),
            3.5,
            "max",
            "x",
        ),
        ("GENERIC outer step (nms) over a Hamiltonian one", partial(generic_over_hamiltonian, "nms"), 3.5, "max", "x"),
        ("Python loop over 70 tasks over one batched step", batched_over_loop, 6.0, "min", "x"),
        ("loop over tasks over a MAML step, width 64, 16 points", lambda: maml_over_loop(64, 16), 3.0, "min", "x"),
        ("loop over tasks over a MAML step, width 128, 100 points", lambda: maml_over_loop(128, 100), 1.0, "min", "x"),
        ("outer step with 8 replicas over 8 of one seed, CPU", lambda: replicas_over(8, "cpu"), math.inf, "max", "x"),
        ("Lightning and logging over a bare loop", trainer_over_bare, 10.0, "max", "%"),
        ("start-up of a job in a sweep over its run", start_up, 10.0, "max", "%"),
        ("quick, whole process", lambda: whole_process("experiment=quick"), 20.0, "max", "s"),
        (
            "main job, whole process",
            lambda: whole_process("system=pendulum", "modulation=svd", "rank=5"),
            120.0,
            "max",
            "s",
        ),
    ]
    if visible_gpus():
        step = "outer step with 8 replicas over one of one seed, GPU"
        listed.append((step, lambda: replicas_over(1, "cuda"), 1.5, "max", "x"))
    for label, words, bars in (
        ("pendulum", PENDULUM, (1.8, 1.5)),
        ("mass_spring", "system=mass_spring modulation=svd rank=5", (1.5, 1.1)),
        ("duffing", "system=duffing modulation=svd rank=5", (1.8, 2.0)),
        ("pendulum (net=separable)", f"{PENDULUM} net=separable", (0.4, 1.0)),
        ("damped_oscillator (gnode)", "system=damped_oscillator modulation=svd rank=3", (3.0, 1.5)),
        ("two_gas_containers (gnode)", "system=two_gas_containers modulation=svd rank=3", (math.inf, math.inf)),
        ("two_gas_containers (nms)", "system=two_gas_containers modulation=svd rank=3 bracket=nms", (8.0, 12.0)),
    ):
        method = "svd(3)" if "rank=3" in words else "svd(5)"
        for metric, bar in zip(("field_error", "trajectory_error"), bars, strict=True):
            name = f"{label}, {method}, {metric.replace('_', ' ')} (x 1e-2), 3 seeds"
            listed.append((name, partial(accuracy, metric, words), bar, "max", ""))
    return listed + adaptation_figures()


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object: name -> value, bar, holds")
    parser.add_argument("--only", default="", help="measure the figures whose name contains this")
    options = parser.parse_args()
    measured = {}
    for name, measure, bar, sense, unit in figures():
        if options.only not in name:
            continue
        print(f"measuring: {name} ...", file=sys.stderr, flush=True)
        value = measure()
        holds = value <= bar if sense == "max" else value >= bar
        measured[name] = {"value": value, "bar": bar if math.isfinite(bar) else None, "holds": holds}
        if not options.json:
            limit = f"{'at most' if sense == 'max' else 'at least'} {bar:g} {unit}" if math.isfinite(bar) else "no bar"
            print(f"{name:<62} {value:8.2f} {unit:<2} {limit:<18} {'holds' if holds else 'MISSED'}", flush=True)
    if options.json:
        print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
