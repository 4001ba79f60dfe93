"""The composition root: one run from its configuration to the results on disk. Nothing else knows all the groups."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from metastruct.assembly import Trained, build_learner, build_protocol, build_source, component
from metastruct.config import ConfigError, dynamics_name, each_seed, method_name
from metastruct.runs.files import locked, write_atomically, write_checked
from metastruct.runs.folder import RunFolder, run_folder, training_folder
from metastruct.validation import validate

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger

    from metastruct.data.source import Source
    from metastruct.evaluation.archive import Archive
    from metastruct.evaluation.protocol import Evaluation


def run(cfg: DictConfig) -> RunFolder:
    """Train, adapt, measure and leave everything in one run folder; what is there already is not done again.

    With replicas, one folder for each seed; the first is returned.

    Raises:
        ConfigError: the configuration makes no sense; nothing was written.
        Diverged: the training loss is no longer finite; the last good checkpoint is kept.
    """
    validate(cfg)
    if cfg.replicas > 1:
        return _run_each(each_seed(cfg))
    settings: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    folder = run_folder(settings, method_name(cfg))

    from metastruct.reports.console import print_result
    from metastruct.tracking.console import note

    metrics = None if cfg.force else folder.finished()
    if metrics is None:
        with locked(folder.path, lambda: note(f"waiting for another process that works in {folder.path}")):
            metrics = None if cfg.force else folder.finished()
            if metrics is None:
                print_result(_run(cfg, settings, folder), folder.path)
                return folder
    note(f"finished before, on {metrics['date']}; force=true repeats it")
    if cfg.evaluation.figures and not folder.figures.exists():
        from metastruct.reports.figures import draw_all

        draw_all(folder.evaluation, folder.figures)
    print_result(metrics, folder.path)
    return folder


def _run_each(singles: list[DictConfig]) -> RunFolder:
    """Train together what is not there yet, then go through the seeds as single runs, which find themselves trained."""
    folders = {single.seed: _folders(single) for single in singles}
    for single in singles:
        if single.force:
            folder, store = folders[single.seed]
            folder.metrics.unlink(missing_ok=True)
            shutil.rmtree(store, ignore_errors=True)
            single.force = False
    failed = _trained_together([s for s in singles if folders[s.seed][0].finished() is None])
    for single in singles:
        if single.seed not in failed:
            run(single)
    if failed:
        from metastruct.learners.learner import Diverged

        raise Diverged("; ".join(f"seed {seed}: {why}" for seed, why in failed.items()))
    return folders[singles[0].seed][0]


def _folders(cfg: DictConfig) -> tuple[RunFolder, Path]:
    """Of a run, and of its training."""
    settings: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    return run_folder(settings, method_name(cfg)), training_folder(settings, method_name(cfg))


def _trained_together(singles: list[DictConfig]) -> dict[int, str]:
    """Train these seeds as one; returns why a seed has no model."""
    from metastruct.tracking.console import note
    from metastruct.training import train_together, trained

    missing = {_folders(single)[1]: single for single in singles}
    missing = {store: single for store, single in missing.items() if trained(store) is None}
    if len(missing) < 2:
        return {}
    import torch

    cfg = singles[0]
    if cfg.trainer.threads:
        torch.set_num_threads(cfg.trainer.threads)
    settings: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    recordings = build_source(cfg, note).recordings()
    learners = {store: partial(build_learner, single, recordings) for store, single in missing.items()}
    failed = train_together(learners, settings["trainer"])
    return {missing[store].seed: why for store, why in failed.items()}


def _run(cfg: DictConfig, settings: dict[str, Any], folder: RunFolder) -> dict[str, Any]:
    import torch

    from metastruct.reports.figures import draw_all
    from metastruct.runs.provenance import git_commit
    from metastruct.tracking.console import note, working

    git_commit()  # now, not when the results are written
    began = time.perf_counter()
    seconds: dict[str, float] = {}
    if cfg.trainer.threads:  # of the evaluation as well: a run that only evaluates ends with the same digits
        torch.set_num_threads(cfg.trainer.threads)
    folder.metrics.unlink(missing_ok=True)
    write_atomically(folder.config, OmegaConf.to_yaml(cfg, resolve=True))
    with _clock(seconds, "data"):
        data = build_source(cfg, note)
    logger = _logger(cfg, settings, folder)
    content = _trained(cfg, settings, data, logger)
    write_checked(folder.model, content)
    trained = Trained.load(cfg, content)
    if trained.diverged_at is not None:
        note(f"the training diverged at outer step {trained.diverged_at}: every test task counts as diverged")
    seconds["training"] = trained.seconds
    evaluation = _evaluated(cfg, data, trained)
    seconds |= evaluation.seconds
    _archive(data, trained, evaluation).save(folder.evaluation)
    if cfg.evaluation.figures:
        with _clock(seconds, "figures"), working("drawing the figures"):
            draw_all(folder.evaluation, folder.figures)
    metrics = _written(cfg, folder, trained, evaluation, seconds | {"total": time.perf_counter() - began})
    if logger is not None:
        from metastruct.tracking.wandb import log_results

        log_results(logger, metrics, folder.figures)
    return metrics


@contextmanager
def _clock(seconds: dict[str, float], phase: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[phase] = time.perf_counter() - began


def _logger(cfg: DictConfig, settings: dict[str, Any], folder: RunFolder) -> WandbLogger | None:
    if cfg.logger.mode == "disabled":
        return None
    from metastruct.tracking.wandb import wandb_logger

    words = [cfg.system.name, method_name(cfg), cfg.learner.name, dynamics_name(cfg), f"seed{cfg.seed}"]
    return wandb_logger(
        mode=cfg.logger.mode,
        project=cfg.logger.project,
        folder=Path(cfg.outputs),
        name=folder.path.name,
        group=cfg.tag,
        tags=list(dict.fromkeys(words)),
        config=settings | {"table": cfg.tag, "method": method_name(cfg)},
    )


def _trained(cfg: DictConfig, settings: dict[str, Any], data: Source, logger: WandbLogger | None) -> bytes:
    """The model file of this training key: the one that is there, or a new one."""
    from metastruct.tracking.console import note
    from metastruct.training import train, trained

    store = training_folder(settings, method_name(cfg))
    if cfg.force and store.exists():
        shutil.rmtree(store)
    content = trained(store)
    if content is not None:
        note(f"trained before, in {store}")
        return content
    return train(build_learner(cfg, data.recordings()), store, settings["trainer"], logger)


def _evaluated(cfg: DictConfig, data: Source, trained: Trained) -> Evaluation:
    import torch

    from metastruct.evaluation.adapted import Learned
    from metastruct.evaluation.protocol import MetricRefused, evaluate
    from metastruct.tracking.console import working

    device = "cuda" if cfg.trainer.accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    tasks = len(data.test)
    start = trained.start(tasks, cfg.evaluation.start).to(device)
    with working(f"adapting to {tasks} new tasks from {cfg.shots} observations each, then measuring"):
        try:
            return evaluate(
                Learned(trained.model.to(device), component(cfg.objective), start, trained.prior().to(device)),
                build_protocol(cfg),
                component(cfg.adaptation),
                component(cfg.integrator),
                data,
            )
        except MetricRefused as error:
            raise ConfigError(str(error)) from error


def _archive(data: Source, trained: Trained, evaluation: Evaluation) -> Archive:
    """What the figures draw."""
    import numpy as np

    from metastruct.evaluation.archive import Archive

    adapted = evaluation.adapted
    codes = trained.codes.to(next(trained.model.parameters()).device)
    return Archive(
        state_names=np.array(data.state_names),
        parameter_names=np.array(data.parameter_names),
        test_members=np.array(data.described("test")),
        test_domains=np.array(evaluation.domains),
        train_domains=np.array(data.domains("train")),
        train_parameters=data.parameters("train"),
        train_codes=trained.codes.numpy(),
        history=np.array(trained.history),
        singular_values={
            site: values.cpu().numpy() for site, values in trained.model.modulation.singular_values(codes).items()
        },
        **adapted.arrays(),
    )


def _written(
    cfg: DictConfig, folder: RunFolder, trained: Trained, evaluation: Evaluation, seconds: dict[str, float]
) -> dict[str, Any]:
    """Write the records, then metrics.json, which says that the run is finished."""
    from metastruct.evaluation.summary import records, summary
    from metastruct.runs.provenance import git_commit, machine, versions
    from metastruct.runs.records import write_records

    shared = {"system": cfg.system.name, "method": method_name(cfg), "learner": cfg.learner.name, "seed": cfg.seed}
    settings = {"dynamics": dynamics_name(cfg), "shots": cfg.shots, "steps": cfg.adaptation.get("steps", 1)}
    settings |= {"adaptation": cfg.adaptation.name, "start": cfg.evaluation.start}
    rows = records(evaluation, experiment=cfg.tag, run=folder.path.name, **shared, **settings)
    metrics = {
        **shared,
        **settings,
        "run": folder.path.name,
        **summary(evaluation),
        "parameters": trained.model.parameter_counts(),
        "seconds": seconds,
        "training_steps": trained.history[-1][0] if trained.history else 0,
        "training_diverged_at": trained.diverged_at,
        "records": write_records(folder.records, rows),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "commit": git_commit(),
        "machine": machine(),
    }
    write_atomically(folder.metrics, json.dumps(metrics, indent=2) + "\n")
    return metrics
