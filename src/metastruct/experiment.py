"""The composition root: one run from its configuration to the results on disk. Nothing else knows all the groups."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from metastruct.assembly import Trained, build_learner, build_protocol, build_source, component
from metastruct.config import ConfigError
from metastruct.model_file import Foreign
from metastruct.run import Run
from metastruct.runs.files import locked, write_atomically, write_checked
from metastruct.runs.folder import RunFolder
from metastruct.runs.provenance import Provenance
from metastruct.validation import validate
from metastruct.validation.rehearsal import rehearse

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger

    from metastruct.data.source import Source
    from metastruct.evaluation.archive import Archive
    from metastruct.evaluation.protocol import Evaluation


def run(cfg: DictConfig, provenance: Provenance | None = None) -> RunFolder:
    """Train, adapt, measure and leave everything in one run folder; what is there already is not done again.

    With replicas, one folder for each seed; the first is returned.

    Args:
        cfg: as Hydra composes it.
        provenance: of the code, where it was imported some time ago.

    Raises:
        ConfigError: the configuration makes no sense; nothing was written.
        Diverged: the training loss is no longer finite; the last good checkpoint is kept.
    """
    validate(cfg)
    asked = Run.of(cfg)
    origin = provenance or Provenance.now()
    return _single(asked, origin) if asked.config.replicas == 1 else _replicas(asked, origin)


def _single(run: Run, provenance: Provenance) -> RunFolder:
    from metastruct.reports.console import print_result
    from metastruct.tracking.console import note

    folder, force = run.folder, run.config.force
    metrics = None if force else folder.finished()
    if metrics is None:
        rehearse(run.config)
        with locked(folder.path, lambda: note(f"waiting for another process that works in {folder.path}")):
            metrics = None if force else folder.finished()
            if metrics is None:
                print_result(_made(run, provenance), folder.path)
                return folder
    note(f"finished before, on {metrics['date']}; force=true repeats it")
    if run.config.evaluation.figures and not folder.figures.exists():
        from metastruct.reports.figures import draw_all

        draw_all(folder.evaluation, folder.figures)
    print_result(metrics, folder.path)
    return folder


def _replicas(asked: Run, provenance: Provenance) -> RunFolder:
    """Train together what is not there yet, then go through the seeds as single runs, which find themselves trained."""
    singles, force = asked.singles, asked.config.force
    made, failed = _trained_together([one for one in singles if force or one.folder.finished() is None], force)
    for one in singles:
        if one.training in failed:
            continue
        if force and one.training in made:  # the training is anew, and nobody else's results stand for it
            _forget(one.folder)
            one = replace(one, config=replace(one.config, force=False))
        _single(one, provenance)
    if failed:
        from metastruct.learners.learner import Diverged

        reasons = [f"seed {one.config.seed}: {failed[one.training]}" for one in singles if one.training in failed]
        raise Diverged("; ".join(reasons))
    return singles[0].folder


def _forget(folder: RunFolder) -> None:
    """Take the results of a run back, when nobody is making them."""
    from metastruct.tracking.console import note

    with locked(folder.path, lambda: note(f"waiting for another process that works in {folder.path}")):
        folder.metrics.unlink(missing_ok=True)


def _trained_together(singles: list[Run], force: bool) -> tuple[set[Path], dict[Path, str]]:
    """Train these seeds as one; returns the trainings that were made, and why one left no model."""
    from metastruct.tracking.console import note
    from metastruct.training import train_together, trained

    missing = {one.training: one for one in singles if force or trained(one.training) is None}
    if len(missing) < 2:
        return set(), {}
    rehearse(singles[0].config)
    import torch

    config = singles[0].config
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    recordings = build_source(config, note).recordings()
    learners = {store: partial(build_learner, one.config, recordings) for store, one in missing.items()}
    return train_together(learners, config.trainer, force)


def _made(run: Run, provenance: Provenance) -> dict[str, Any]:
    import torch

    from metastruct.reports.figures import draw_all
    from metastruct.tracking.console import note, working

    began = time.perf_counter()
    config, folder = run.config, run.folder
    seconds: dict[str, float] = {}
    if config.trainer.threads:  # of the evaluation as well: a run that only evaluates ends with the same digits
        torch.set_num_threads(config.trainer.threads)
    folder.metrics.unlink(missing_ok=True)
    write_atomically(folder.config, run.as_yaml())
    with _clock(seconds, "data"):
        source = build_source(config, note)
    logger = _logger(run)
    content, trained = _trained(run, source, logger)
    write_checked(folder.model, content)
    if trained.diverged_at is not None:
        note(f"the training diverged at outer step {trained.diverged_at}: every test task counts as diverged")
    seconds["training"] = trained.seconds
    evaluation = _evaluated(run, source, trained)
    seconds |= evaluation.seconds
    _archive(source, trained, evaluation).save(folder.evaluation)
    if config.evaluation.figures:
        with _clock(seconds, "figures"), working("drawing the figures"):
            draw_all(folder.evaluation, folder.figures)
    seconds["total"] = time.perf_counter() - began
    metrics = _written(run, trained, evaluation, seconds, provenance)
    if logger is not None:
        from metastruct.tracking.wandb import log_results

        log_results(logger, metrics, folder.figures)
    return metrics


@contextmanager
def _clock(seconds: dict[str, float], phase: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[phase] = time.perf_counter() - began


def _logger(run: Run) -> WandbLogger | None:
    config = run.config
    if config.logger.mode == "disabled":
        return None
    from metastruct.tracking.wandb import wandb_logger

    words = [config.system["name"], run.method, config.learner["name"], run.dynamics, f"seed{config.seed}"]
    return wandb_logger(
        mode=config.logger.mode,
        project=config.logger.project,
        folder=Path(config.outputs),
        name=run.folder.path.name,
        group=config.tag,
        tags=list(dict.fromkeys(words)),
        config=run.settings | {"table": config.tag, "method": run.method},
    )


def _trained(run: Run, source: Source, logger: WandbLogger | None) -> tuple[bytes, Trained]:
    """The model file of this training key, the one that is there or a new one, and what it holds."""
    from metastruct.tracking.console import note
    from metastruct.training import MODEL, discard, train, trained

    content = None if run.config.force else trained(run.training)
    if content is not None:
        try:
            before = Trained.load(run.config, content, run.training.name)
        except Foreign as problem:
            note(f"{run.training / MODEL} {problem}; it is made again")
            discard(run.training, content)
        else:
            note(f"trained before, in {run.training}")
            return content, before
    learner = build_learner(run.config, source.recordings())
    content = train(learner, run.training, run.config.trainer, logger, run.config.force)
    return content, Trained.load(run.config, content, run.training.name)


def _evaluated(run: Run, source: Source, trained: Trained) -> Evaluation:
    import torch

    from metastruct.evaluation.adapted import Learned
    from metastruct.evaluation.protocol import MetricRefused, evaluate
    from metastruct.tracking.console import working

    config, tasks = run.config, len(source.test)
    device = "cuda" if config.trainer.accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    start = trained.start(tasks, config.evaluation.start).to(device)
    learned = Learned(trained.model.to(device), component(config.objective), start, trained.prior().to(device))
    pieces = component(config.adaptation), component(config.integrator)
    with working(f"adapting to {tasks} new tasks from {config.shots} observations each, then measuring"):
        try:
            return evaluate(learned, build_protocol(config), *pieces, source)
        except MetricRefused as error:
            raise ConfigError(str(error)) from error


def _archive(source: Source, trained: Trained, evaluation: Evaluation) -> Archive:
    """What the figures draw."""
    import numpy as np

    from metastruct.evaluation.archive import Archive

    codes = trained.codes.to(next(trained.model.parameters()).device)
    return Archive(
        state_names=np.array(source.state_names),
        parameter_names=np.array(source.parameter_names),
        test_members=np.array(source.described("test")),
        test_domains=np.array(evaluation.domains),
        train_domains=np.array(source.domains("train")),
        train_parameters=source.parameters("train"),
        train_codes=trained.codes.numpy(),
        history=np.array(trained.history),
        singular_values={
            site: values.cpu().numpy() for site, values in trained.model.modulation.singular_values(codes).items()
        },
        **evaluation.adapted.arrays(),
    )


def _written(
    run: Run, trained: Trained, evaluation: Evaluation, seconds: dict[str, float], provenance: Provenance
) -> dict[str, Any]:
    """Write the records, then metrics.json, which says that the run is finished."""
    from metastruct.evaluation.summary import records, summary
    from metastruct.runs.records import write_records

    config, folder = run.config, run.folder
    shared = {"system": config.system["name"], "method": run.method, "learner": config.learner["name"]}
    shared["seed"] = config.seed
    settings = {"dynamics": run.dynamics, "shots": config.shots, "steps": config.adaptation.get("steps", 1)}
    settings |= {"adaptation": config.adaptation["name"], "start": config.evaluation.start}
    rows = records(evaluation, experiment=config.tag, run=folder.path.name, **shared, **settings)
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
        "versions": provenance.versions,
        "commit": provenance.commit,
        "machine": provenance.machine,
    }
    write_atomically(folder.metrics, json.dumps(metrics, indent=2) + "\n")
    return metrics
