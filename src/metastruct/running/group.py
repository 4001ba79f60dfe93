"""Several seeds of a setting, trained as one.

Each leaves what a training of its own would leave, but for the last digits, which are those of batched products and
depend on who else is in the group. So a group that was begun ends with the same members, whenever it is interrupted: a
file in its folder names them, until the models of all are kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch

from metastruct.config.schema import Trainer
from metastruct.learners.course import Diverged
from metastruct.learners.learner import Learner
from metastruct.learners.replicas import together
from metastruct.running.assembly import build_learner, build_source
from metastruct.running.places import group_folder
from metastruct.running.run import Run
from metastruct.running.tracking.console import note, working
from metastruct.running.training import LEFT, fit, keep, trained
from metastruct.runs.files import clear, locked_if_free, make_folder, write_atomically

MEMBERS = "members"  # the names of the trainings of a group

Makers = Mapping[Path, Callable[[], Learner]]


def train_seeds(singles: Sequence[Run], again: bool) -> tuple[set[Path], dict[Path, str]]:
    """Train what is not trained of these runs, which differ in their seed alone; returns as `train_together`."""
    folders = [single.training for single in singles]
    missing = [folder for folder in folders if again or trained(folder) is None]
    if len(missing) < 2 and not any(begun(folders)):
        return set(), {}
    config = singles[0].config
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    recordings = build_source(config, note).recordings()
    learners = {single.training: partial(build_learner, single.config, recordings) for single in singles}
    return train_together(learners, config.trainer, again)


def train_together(learners: Makers, settings: Trainer, again: bool = False) -> tuple[set[Path], dict[Path, str]]:
    """Train what is not trained yet as one; returns the trainings that were made, and why one left no model.

    What another process trains is left to it, and a training that would be alone to whoever needs it. Checkpoints go
    to a folder of the group, until it has ended; a seed that diverges leaves none, and the others stay.

    Args:
        learners: makes the learner of each training folder; they differ in their seed alone.
        settings: of the machinery.
        again: begin anew where no other process is at work.
    """
    fresh: set[Path] = set()
    failed: dict[Path, str] = {}
    with ExitStack() as locks:
        free = [folder for folder in learners if locks.enter_context(locked_if_free(folder))]
        missing = [folder for folder in free if again or trained(folder) is None]
        groups = []
        for group, members in begun(free):
            if again or not {*members} & {*missing}:
                shutil.rmtree(group)
                continue
            groups.append(members)
            missing = [folder for folder in missing if folder not in members]
        for members in (*groups, missing):
            if len(members) > 1 and (reasons := _train(members, learners, settings, again)) is not None:
                fresh |= {*members}
                failed |= reasons
    return fresh, failed


def begun(folders: Sequence[Path]) -> Iterator[tuple[Path, list[Path]]]:
    """The groups of these trainings that have not ended: folder and members of each."""
    names = {folder.name: folder for folder in folders}
    for path in sorted(folders[0].parent.glob(f"*/{MEMBERS}")) if folders else ():
        members = path.read_text().split()
        if members and {*members} <= {*names}:
            yield path.parent, [names[name] for name in members]


def _train(members: Sequence[Path], learners: Makers, settings: Trainer, again: bool) -> dict[Path, str] | None:
    """Train these as one, by whoever holds their locks; returns why one left no model, None if there is no training."""
    learner, failed = learners[members[0]](), {}
    if not learner.evaluations:
        return None
    learner = together([learner, *(learners[folder]() for folder in members[1:])])
    group = group_folder(members)
    make_folder(group)
    for folder in (group, *members) if again else ():
        clear(folder)
    write_atomically(group / MEMBERS, "\n".join(folder.name for folder in members) + "\n")
    note(f"training {len(members)} seeds together")
    fit(learner, group, settings, sample=learners[members[0]])
    with working(LEFT):
        results = learner.cpu().results()
    for folder, result in zip(members, results, strict=True):
        if trained(folder) is not None:  # kept before this group was interrupted
            continue
        try:
            keep(result, learner, folder)
        except Diverged as error:
            failed[folder] = str(error)
    shutil.rmtree(group)
    return failed
