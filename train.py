"""Meta-train on a family of systems and measure the adaptation to new members: python train.py --help"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 where it is run without being installed
    print(f"error: MetaStruct needs Python 3.11 or later, got {sys.version.split()[0]}; name another", file=sys.stderr)
    sys.exit(2)

from metastruct.__main__ import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
