"""`python -m metastruct` is the command `metastruct`."""

from metastruct.commands import main

if __name__ == "__main__":
    main()
