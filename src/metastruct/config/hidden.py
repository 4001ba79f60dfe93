"""A file of the user's that hides a library, such as random.py in a folder of PYTHONPATH: told where an import fails.

It imports nothing but Python's own.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback


def hidden(error: BaseException) -> str | None:
    """Which file hides a library, and what to do, if an error is of such a file; None where it is of none."""
    text = "".join(traceback.format_exception(error))
    library = sysconfig.get_paths()["purelib"]
    libraries = sys.stdlib_module_names | {name.partition(".")[0] for name in os.listdir(library)}
    for folder in (*os.environ.get("PYTHONPATH", "").split(os.pathsep), *sys.path[:1]):
        place = os.path.abspath(folder)
        if not os.path.isdir(place) or place == library:
            continue
        for name in sorted(os.listdir(place)):
            module, path = name.removesuffix(".py"), os.path.join(place, name)
            is_package = os.path.isfile(os.path.join(path, "__init__.py"))
            if module in libraries and (name != module or is_package) and (path in text or f"'{module}'" in str(error)):
                return f"{path} hides the library {module}; rename it, or leave its folder out of PYTHONPATH"
    return None
