"""The figures of merit: python scripts/benchmark.py --help, or metastruct benchmark --help"""

import sys

if __name__ == "__main__":
    from metastruct.__main__ import main

    main(["benchmark", *sys.argv[1:]])
