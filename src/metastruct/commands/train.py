"""Meta-train on members of a family and measure the adaptation to new ones.

metastruct train system=pendulum modulation=svd rank=5
metastruct train data=files data.path=measured.csv data.states=[q,p]
metastruct train --help
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import hydra
from omegaconf import DictConfig

from metastruct.command import Session
from metastruct.config import register
from metastruct.facts import CONF


def run(words: Sequence[str]) -> None:
    """Train as Hydra's words say."""
    register()
    session = Session()

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
    def job(cfg: DictConfig) -> None:  # not of the module, so that launchers carry the session along
        session.job(cfg)

    sys.argv[1:] = words
    session.run(job)
