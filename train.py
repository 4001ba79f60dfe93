"""Meta-train on a family of systems and measure the adaptation to new members: python train.py --help"""

import sys

from metastruct.commands import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
