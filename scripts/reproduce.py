"""Reproduce the paper's tables: python scripts/reproduce.py --help, or metastruct reproduce --help"""

import sys

if __name__ == "__main__":
    from metastruct.__main__ import main  # not above: the process of every run reads this file

    main(["reproduce", *sys.argv[1:]])
