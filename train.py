"""Meta-train on a family of systems and measure the adaptation to new members: python train.py --help"""

import sys

from metastruct.running.command_line import train

if __name__ == "__main__":
    train(sys.argv[1:])
