"""Meta-train on a family of systems and measure the adaptation to new members: python train.py --help"""

import hydra
from omegaconf import DictConfig

from metastruct.command import Session
from metastruct.config import register

register()
session = Session()


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    session.job(cfg)


if __name__ == "__main__":
    session.run(main)
