"""`python -m metastruct` is the command `metastruct`."""

import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> None:
    """Run what a command line asks for, as `metastruct.commands`; what hides a library is told in one line."""
    try:
        from metastruct.commands import main as command

        command(words)
    except Exception as error:
        from metastruct.config.hidden import hidden

        if (reason := hidden(error)) is None:
            raise
        print(f"error: {reason}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
