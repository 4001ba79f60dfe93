"""From a trained model to what its run folder holds: measured members, what figures draw, records, metrics.json."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from metastruct.config.schema import ConfigError
from metastruct.running.assembly import component, layout_of
from metastruct.running.protocol import build_protocol
from metastruct.running.run import Run
from metastruct.running.trained import Trained
from metastruct.runs.files import write_atomically
from metastruct.runs.provenance import Provenance

if TYPE_CHECKING:
    from metastruct.data.source import Source
    from metastruct.evaluation.archive import Archive
    from metastruct.evaluation.protocol import Measurements


def evaluated(run: Run, source: Source, trained: Trained) -> Measurements:
    """Adapt a trained model to the test members of a source, and measure it."""
    import torch

    from metastruct.evaluation.fitted import Learned
    from metastruct.evaluation.protocol import MetricRefused, evaluate
    from metastruct.running.tracking.console import working

    config, tasks = run.config, len(source.test)
    device = "cuda" if config.trainer.accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    start = trained.start(tasks, config.evaluation.start).to(device)
    learned = Learned(trained.model.to(device), trained.objective.to(device), start, trained.prior().to(device))
    pieces = component(config.adaptation), component(config.integrator)
    with working(f"adapting to {tasks} new {'member' if tasks == 1 else 'members'}, then measuring"):
        try:
            return evaluate(learned, build_protocol(config), *pieces, source)
        except MetricRefused as error:
            raise ConfigError(str(error)) from error


def archived(run: Run, source: Source, trained: Trained, evaluation: Measurements) -> Archive:
    """What the figures draw."""
    import numpy as np

    from metastruct.evaluation.archive import Archive

    layout = layout_of(run.config, source.state_names, source.input_names)
    codes = trained.codes.to(next(trained.model.parameters()).device)
    return Archive(
        state_names=np.array(source.state_names, dtype=str),
        parameter_names=np.array(source.parameter_names, dtype=str),
        test_members=np.array(source.described("test")),
        test_domains=np.array(evaluation.domains),
        train_domains=np.array(source.domains("train")),
        train_parameters=source.parameters("train"),
        train_codes=trained.codes.numpy(),
        history=np.array(trained.history),
        state_labels=np.array([*map(layout.titled, source.state_names)]),
        time_label=np.array([layout.titled(layout.time)]),
        singular_values={
            site: values.cpu().numpy() for site, values in trained.model.modulation.singular_values(codes).items()
        },
        **evaluation.adapted.arrays(),
    )


def written(
    run: Run, trained: Trained, evaluation: Measurements, seconds: dict[str, float], provenance: Provenance
) -> dict[str, Any]:
    """Write the records, then metrics.json, which says that the run is finished."""
    from metastruct.evaluation.summary import records, summary
    from metastruct.runs.records import write_records

    config, folder = run.config, run.folder
    shared = {"system": run.family, "method": run.method, "learner": config.learner["name"]}
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
