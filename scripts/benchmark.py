"""The figures of merit: python scripts/benchmark.py --help, or metastruct benchmark --help"""

import sys

if __name__ == "__main__":
    from metastruct.commands import main

    main(["benchmark", *sys.argv[1:]])
