"""The composition root: one run from its configuration to the results on disk. Nothing else knows all the groups."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from metastruct.config.schema import Config
from metastruct.config.work import allowed
from metastruct.running.assembly import build_learner, build_source
from metastruct.running.damage import finished, set_damaged_aside
from metastruct.running.measurement import archived, evaluated, written
from metastruct.running.model_file import Foreign, labelled
from metastruct.running.run import Run
from metastruct.running.trained import Trained
from metastruct.running.validation import validate
from metastruct.running.validation.rehearsal import rehearse
from metastruct.runs.files import locked, write_atomically, write_checked
from metastruct.runs.folder import RunFolder
from metastruct.runs.provenance import Provenance

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger

    from metastruct.data.source import Source


def run(cfg: DictConfig, provenance: Provenance | None = None, shows: bool = True) -> RunFolder:
    """Train, adapt, measure and leave everything in one run folder; what is there already is not done again.

    With replicas, one folder for each seed; the first is returned. Where no member is held out, the model is all.

    Args:
        cfg: as Hydra composes it.
        provenance: of the code, where it was imported some time ago.
        shows: the table at the end?

    Raises:
        ConfigError: the configuration makes no sense; nothing was written.
        Diverged: the training loss of a seed is no longer finite; it leaves no results, the other seeds theirs. A
            training alone keeps its last good checkpoint, seeds that are trained together keep none.
    """
    validate(cfg)
    request = Run.of(cfg)
    origin = provenance or Provenance.now()
    with allowed(request.config.trainer.work):
        return _single(request, origin, shows) if request.config.replicas == 1 else _replicas(request, origin)


def _single(run: Run, provenance: Provenance, shows: bool = True) -> RunFolder:
    from metastruct.running.result import comparable, print_result
    from metastruct.running.tracking.console import note, working

    folder, force = run.folder, run.config.force
    metrics = None if force else finished(folder)
    if metrics is None:
        seconds: dict[str, float] = {}
        with working("loading what trains, and the data"):
            rehearse(run.config)
            with _clock(seconds, "data"):
                source = _source(run.config)
        with locked(folder.path, lambda: note(f"waiting for another process that works in {folder.path}")):
            metrics = None if force else finished(folder)
            if metrics is None:
                if not force:
                    set_damaged_aside(folder)
                metrics = _made(run, source, seconds, provenance)
                if metrics is None:
                    note(f"nothing is held out, so nothing is measured; the model is in {folder.path}")
                elif shows:
                    print_result(metrics, folder.path, comparable(run.config))
                return folder
    note(f"finished before, on {metrics['date']}; force=true repeats it")
    _draw(run)
    if shows:
        print_result(metrics, folder.path, comparable(run.config))
    return folder


def _replicas(request: Run, provenance: Provenance) -> RunFolder:
    """Train together what is not there yet, then go through the seeds as single runs, which find themselves trained."""
    singles, force = request.singles, request.config.force
    unfinished = [single for single in singles if force or single.folder.finished() is None]
    fresh: set[Path] = set()
    failed: dict[Path, str] = {}
    if len(unfinished) > 1:
        from metastruct.running.group import train_seeds

        rehearse(request.config)
        for single in unfinished if force else ():  # before anything is trained: what is there afterwards is of now
            _forget(single.folder)
        fresh, failed = train_seeds(unfinished, force)
    for single in singles:
        if single.training in failed:
            continue
        again = force and single.training not in fresh
        try:
            _single(replace(single, config=replace(single.config, force=again)), provenance)
        except _diverged() as error:
            failed[single.training] = str(error)
    if failed:
        seeds = {single.training: single.config.seed for single in singles}
        raise _diverged()("; ".join(f"seed {seeds[folder]}: {failed[folder]}" for folder in seeds if folder in failed))
    return singles[0].folder


def _diverged() -> type[Exception]:
    """The error of a training whose loss is not finite; its module imports torch, so it is asked for when one comes."""
    from metastruct.learners.course import Diverged

    return Diverged


def _forget(folder: RunFolder) -> None:
    """Remove the results of a run, when nobody is making them."""
    from metastruct.running.tracking.console import note

    if folder.path.exists():
        with locked(folder.path, lambda: note(f"waiting for another process that works in {folder.path}")):
            folder.forget()


def _source(config: Config) -> Source:
    """The data, which refuse what makes no sense while there is no run folder; sets the threads of all that follows."""
    import torch

    from metastruct.running.tracking.console import note

    if config.trainer.threads:  # of the evaluation as well: a run that only evaluates ends with the same digits
        torch.set_num_threads(config.trainer.threads)
    return build_source(config, note)


def _made(run: Run, source: Source, seconds: dict[str, float], provenance: Provenance) -> dict[str, Any] | None:
    from metastruct.running.tracking.console import note

    began = time.perf_counter() - seconds["data"]
    folder = run.folder
    folder.forget()
    logger = _logger(run)
    content, trained = _trained(run, source, logger)
    write_atomically(folder.config, run.as_yaml())
    write_checked(folder.model, _labelled(content, source))
    for doubt in doubts(trained, source):
        note(doubt)
    if source.report:
        write_atomically(folder.report, "".join(f"{line}\n" for line in source.report))
    if not source.test:
        return None
    if trained.diverged_at is not None:
        note(f"the training diverged at step {trained.diverged_at}: every new member counts as diverged")
    seconds["training"] = trained.seconds
    evaluation = evaluated(run, source, trained)
    seconds |= evaluation.seconds
    archived(run, source, trained, evaluation).save(folder.evaluation)
    with _clock(seconds, "figures"):
        _draw(run)
    seconds["total"] = time.perf_counter() - began
    metrics = written(run, trained, evaluation, seconds, provenance)
    if logger is not None:
        from metastruct.running.tracking.wandb import log_results

        log_results(logger, metrics, folder, source.described("test"))
    return metrics


def doubts(trained: Trained, source: Source) -> list[str]:
    """What is wrong with a training, where its own members say so, one line each."""
    from metastruct.evaluation.lost_energy import lost_energy

    if trained.flag is not None:
        return [trained.flag]  # and its energy means nothing yet
    measured = source.law is None and trained.noise is not None and trained.diverged_at is None
    line = lost_energy(trained.model, trained.codes, source.train) if measured else None
    return [] if line is None else [line]


def _draw(run: Run) -> None:
    """The figures that are asked for and not there yet."""
    evaluation, folder = run.config.evaluation, run.folder
    if not evaluation.figures:
        return
    from metastruct.evaluation.figures.run import draw_all, drawn
    from metastruct.running.tracking.console import working

    if not drawn(folder.figures, evaluation.formats, evaluation.animation):
        with working("drawing the figures"):
            draw_all(folder.evaluation, folder.figures, evaluation.formats, evaluation.animation)


def _labelled(content: bytes, source: Source) -> bytes:
    """The model file of a run, with what is known of its training members where all are of one family."""
    if not source.parameter_names or len({*source.domains("train")}) > 1:
        return content
    return labelled(content, source.parameter_names, source.parameters("train"))


@contextmanager
def _clock(seconds: dict[str, float], phase: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[phase] = time.perf_counter() - began


def _logger(run: Run) -> WandbLogger | None:
    config = run.config
    if config.logger.mode == "disabled":
        return None
    from metastruct.running.tracking.wandb import wandb_logger

    words = [run.family, run.method, config.learner["name"], run.dynamics, f"seed{config.seed}"]
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
    from metastruct.running.tracking.console import note
    from metastruct.running.training import discard, train, trained

    content = None if run.config.force else trained(run.training)
    if content is not None:
        try:
            before = Trained.load(run.config, content, run.training.name)
        except Foreign as problem:
            discard(run.training, content, problem)
        else:
            note(f"trained before, in {run.training}")
            return content, before
    learner = build_learner(run.config, source.recordings())
    content = train(learner, run.training, run.config.trainer, logger, run.config.force)
    return content, Trained.load(run.config, content, run.training.name)
