"""Members in a file of their own, which needs no run: weights, constants, codes, covariances, and where they come from.

A safetensors file holds arrays and text, and reading it executes nothing. The text is the configuration of the run and
the provenance; the sum of all of it is kept beside it, so that a file that was cut or altered is told from a whole one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metastruct.adaptation.adaptation import Fit
from metastruct.adaptation.agreement import Agreement
from metastruct.data.outside import place_of
from metastruct.running.model_file import FLOATS, Foreign
from metastruct.running.run import Run, configuration_in
from metastruct.running.trained import Trained
from metastruct.running.validation import check_read
from metastruct.running.validation.rehearsal import rehearse
from metastruct.runs.files import write_atomically
from metastruct.runs.provenance import here

if TYPE_CHECKING:
    import torch
    from omegaconf import DictConfig

    from metastruct.api.fields import Fields
    from metastruct.api.model import Model

FORMAT = "metastruct members 1"
AGREEMENT = tuple(part.name for part in fields(Agreement))
SUFFIX = ".safetensors"
Tensors = dict[str, "torch.Tensor"]


class Portable:
    """Adapted members, one or several, that go into a file.

    Args:
        fields: what they answer with.
        model: what adapted them.
    """

    def __init__(self, fields: Fields, model: Model):
        self.fields, self.model = fields, model

    def save(self, path: str | Path) -> Path:
        """Write it into a file NAME.safetensors that needs no run; returns its path.

        `metastruct.load_member` reads it anywhere, of several members `metastruct.load_members`.

        Raises:
            ValueError: the name has another suffix.
        """
        return write(self, path)


def write(members: Portable, path: str | Path) -> Path:
    """Write members to a file NAME.safetensors, whole or not at all; returns its path.

    Raises:
        ValueError: the name has another suffix.
    """
    from safetensors.torch import save

    path = named(path)
    trained, fit = members.fields.trained, members.fields.fit
    tensors = {f"model.{name}": value for name, value in trained.model.state_dict().items()}
    if trained.labels is not None:
        tensors["training.labels"] = trained.labels.values
    tensors |= {"training.codes": trained.codes, "fit.codes": fit.codes, "fit.trace": fit.trace}
    optional = {"training.noise": trained.noise, "fit.covariance": fit.covariance, "fit.converged": fit.converged}
    optional["fit.posterior"] = fit.posterior
    tensors |= {name: value for name, value in optional.items() if value is not None}
    if fit.agreement is not None:
        tensors |= {f"fit.{name}": getattr(fit.agreement, name) for name in AGREEMENT}
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    text = {
        "format": FORMAT,
        "configuration": _portable(members.model.run).as_yaml(),
        "provenance": json.dumps(here()),
        "training": json.dumps(
            {
                "seconds": trained.seconds,
                "diverged_at": trained.diverged_at,
                "time_scale": trained.model.dynamics.time_scale,
                "objective": dict(trained.objective.numbers),
            }
        ),
        "labels": json.dumps([] if trained.labels is None else trained.labels.names),
    }
    write_atomically(path, save(tensors, text | {"sha256": sum_of(tensors, text)}))
    return path


def read(path: str | Path) -> tuple[DictConfig, Trained, Fit]:
    """Configuration, trained model and fit of the members of a file; errors as of `load_members`."""
    path = named(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a file that member.save wrote, got none")
    tensors, text = _contents(path)
    cfg = configuration_in(text["configuration"].encode(), str(path))
    run = Run.of(cfg)
    check_read(cfg)
    rehearse(run.config)
    try:
        trained = _trained(run, tensors, text)
        return cfg, trained, _fit(tensors, trained.model.code_dim)
    except Foreign as problem:
        raise ValueError(f"{path} {problem}; save the member again") from None


def named(path: str | Path) -> Path:
    """The path, which ends as such files do.

    Raises:
        ValueError: it ends otherwise.
    """
    path = place_of(path, "path")
    if path.suffix != SUFFIX:
        raise ValueError(f"a member is kept in a file NAME{SUFFIX}, got {path}")
    return path


def _portable(run: Run) -> Run:
    """The run without the place where it was made."""
    return replace(run, config=replace(run.config, outputs="outputs"))


def sum_of(tensors: Mapping[str, torch.Tensor], text: Mapping[str, str]) -> str:
    """SHA-256 of everything in a file, in the order of its names."""
    total = hashlib.sha256()
    for name, words in sorted(text.items()):
        total.update(f"{name}={words}\n".encode())
    for name, values in sorted(tensors.items()):
        total.update(f"{name} {values.dtype} {list(values.shape)}\n".encode())
        total.update(values.numpy().tobytes())
    return total.hexdigest()


def _contents(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Arrays and text of a whole file.

    Raises:
        ValueError: it is damaged, or something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            text = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    except (SafetensorError, OSError, ValueError, TypeError):
        raise ValueError(f"{path} must be a file that member.save wrote, got a damaged one or another kind") from None
    if text.get("format") != FORMAT or not {"configuration", "training", "sha256"} <= {*text}:
        raise ValueError(f"{path} must be of the format {FORMAT!r}, got {text.get('format', 'none')[:80]!r}")
    if sum_of(tensors, {name: words for name, words in text.items() if name != "sha256"}) != text["sha256"]:
        raise ValueError(f"{path} does not have the sum that it names; copy it again")
    return tensors, text


def _trained(run: Run, tensors: Tensors, text: Mapping[str, str]) -> Trained:
    try:
        training = json.loads(text["training"])
        seconds, diverged_at = float(training["seconds"]), training["diverged_at"]
        time_scale, objective = float(training["time_scale"]), training["objective"]
        names = json.loads(text.get("labels", "[]"))
        if not 0 < time_scale < math.inf:
            raise ValueError("no scale of time")
    except (ValueError, TypeError, KeyError, OverflowError):
        raise Foreign("does not say how its training went") from None
    kept: dict[str, Any] = {
        "model": {name.removeprefix("model."): v for name, v in tensors.items() if name.startswith("model.")},
        "codes": tensors.get("training.codes"),
        "noise": tensors.get("training.noise"),
        "seconds": seconds,
        "history": [],
        "diverged_at": diverged_at,
        "objective": objective,
        "labels": {"names": names, "values": tensors.get("training.labels")} if names else None,
    }
    trained = Trained.made(run.config, kept)
    trained.model.dynamics.time_scale = time_scale
    return trained


def _fit(tensors: Tensors, code_dim: int) -> Fit:
    """The fit of the members, whose arrays go together.

    Raises:
        Foreign: they do not, or are not what a fit has.
    """
    codes = tensors.get("fit.codes")
    if codes is None or codes.ndim != 2 or codes.shape[-1] != code_dim or not len(codes):
        raise Foreign(f"must hold codes [members, {code_dim}]")
    shapes = {
        "fit.codes": codes.shape,
        "fit.trace": (*tensors["fit.trace"].shape[:1], len(codes)) if "fit.trace" in tensors else (),
        "fit.covariance": (len(codes), code_dim, code_dim),
        "fit.posterior": (len(codes), code_dim, code_dim),
        "fit.converged": (len(codes),),
    } | {f"fit.{name}": (len(codes),) for name in AGREEMENT}
    for name, values in tensors.items():
        if not name.startswith("fit."):
            continue
        kinds = ("torch.bool",) if name == "fit.converged" else FLOATS
        if name not in shapes or tuple(values.shape) != tuple(shapes[name]) or str(values.dtype) not in kinds:
            raise Foreign(f"holds {name[:80]!r} of another kind or shape than a fit has")
        if name != "fit.trace" and values.is_floating_point() and not values.isfinite().all():
            raise Foreign(f"holds numbers in {name!r} that are not finite")
    parts = [tensors.get(f"fit.{name}") for name in AGREEMENT]
    if "fit.trace" not in tensors:
        raise Foreign("must hold the losses of its fit")
    covariance = tensors.get("fit.covariance")
    agreement = None if any(part is None for part in parts) else Agreement(*parts)  # type: ignore[arg-type]
    return Fit(
        codes, tensors["fit.trace"], covariance, tensors.get("fit.converged"), agreement, tensors.get("fit.posterior")
    )
