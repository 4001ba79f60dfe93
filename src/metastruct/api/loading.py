"""From a run folder to its model, and from a file to the members in it."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from metastruct.api.guest import undisturbed
from metastruct.api.member import Member
from metastruct.api.members import Members
from metastruct.api.model import Model
from metastruct.api.portable import read
from metastruct.config.resolvers import register_resolvers
from metastruct.config.work import MOST
from metastruct.data.outside import is_number, place_of, shortly
from metastruct.running.model_file import Foreign
from metastruct.running.run import Run, configuration_of
from metastruct.running.trained import Trained
from metastruct.running.validation import check_read
from metastruct.running.validation.rehearsal import rehearse
from metastruct.runs.files import check_contained, is_locked, read_checked, sum_file
from metastruct.runs.folder import RunFolder


@undisturbed()
def load(run_folder: str | Path, work: float | None = None) -> Model:
    """The meta-trained model of a run folder, on the CPU in float64. Nothing in its files is executed.

    Args:
        work: times the usual million steps that a rollout of a member may take; None: that of the training.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        ValueError: the model file is damaged or does not belong to the configuration beside it; or `work` is no number
            from 1 to a million.
    """
    folder = RunFolder(place_of(run_folder, "run_folder"))
    folder.check_trained()
    check_contained(folder.path)
    register_resolvers()
    cfg = configuration_of(folder)
    run = Run.of(cfg)
    check_read(cfg)
    rehearse(run.config)
    _allow(cfg, work)
    content = read_checked(folder.model)
    if content is None:
        again = "run its command again with force=true"
        then = "another command makes it now; wait for that" if is_locked(folder.path) else again
        raise ValueError(f"{folder.model} does not have the sum in {sum_file(folder.model).name}; {then}")
    try:
        return Model(cfg, Trained.load(run.config, content, run.training.name), folder.path)
    except Foreign as problem:
        raise ValueError(f"{folder.model} {problem}; run its command again with force=true") from None


@undisturbed()
def load_members(path: str | Path, work: float | None = None) -> Members:
    """The members of a file NAME.safetensors that `save` wrote, on the CPU. Nothing in it is executed.

    Args:
        work: as of `load`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or holds something else; or `work` is no number from 1 to a million.
    """
    register_resolvers()
    cfg, trained, fit = read(path)
    _allow(cfg, work)
    model = Model(cfg, trained)
    return Members(model.fields(fit), model)


def load_member(path: str | Path, work: float | None = None) -> Member:
    """The one member of a file; arguments and errors as of `load_members`, errors also where there are several."""
    members = load_members(path, work)
    if len(members) != 1:
        raise ValueError(f"{path} must hold one member, got {len(members)}; read it with load_members")
    return members[0]


def _allow(cfg: DictConfig, work: float | None) -> None:
    """Let what is loaded take so many times the usual work."""
    if work is None:
        return
    if not is_number(work) or not 1 <= work <= MOST:
        raise ValueError(f"work must be a number from 1 to {MOST:,}, got {shortly(work)}")
    cfg.trainer.work = float(work)
