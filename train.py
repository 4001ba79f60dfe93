"""Meta-train on a family of systems and measure the adaptation to new members: python train.py --help"""

import sys

from metastruct.commands.train import run

if __name__ == "__main__":
    run(sys.argv[1:])
