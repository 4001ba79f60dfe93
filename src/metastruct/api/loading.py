"""From a run folder to its model."""

from __future__ import annotations

from pathlib import Path

from metastruct.api.model import Model
from metastruct.assembly import Trained
from metastruct.config import register
from metastruct.model_file import Foreign
from metastruct.run import Run, configuration_of
from metastruct.runs.files import check_contained, is_locked, read_checked, sum_file
from metastruct.runs.folder import RunFolder
from metastruct.validation import check_read
from metastruct.validation.rehearsal import rehearse


def load(run_folder: str | Path) -> Model:
    """The meta-trained model of a run folder, on the CPU in float64. Nothing in its files is executed.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        ValueError: the model file is damaged or does not belong to the configuration beside it.
    """
    folder = RunFolder(Path(run_folder))
    for path in (folder.config, folder.model):
        if not path.exists():
            raise FileNotFoundError(f"{folder.path} holds no {path.name}; expected the folder of a finished run")
    check_contained(folder.path)
    register()
    cfg = configuration_of(folder)
    run = Run.of(cfg)
    check_read(cfg)
    rehearse(run.config)
    content = read_checked(folder.model)
    if content is None:
        again = "run its command again with force=true"
        then = "another command makes it now; wait for that" if is_locked(folder.path) else again
        raise ValueError(f"{folder.model} does not have the sum in {sum_file(folder.model).name}; {then}")
    try:
        return Model(cfg, Trained.load(run.config, content, run.training.name), folder.path)
    except Foreign as problem:
        raise ValueError(f"{folder.model} {problem}; run its command again with force=true") from None
