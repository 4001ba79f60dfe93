"""Meta-train on a family of systems and measure the adaptation to new members: python train.py --help"""

import hydra
from omegaconf import DictConfig

from metastruct.command import command_line, job
from metastruct.config import register

register()


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    job(cfg)


if __name__ == "__main__":
    command_line(main)
