"""The documentation: `make docs`. Pages load nothing from elsewhere, and a warning is an error."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "extensions"))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the kernels of notebooks, too

project = "MetaStruct"
author = copyright = "the authors of MetaStruct"
version = release = version_of("metastruct")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions += ["mathml", "said", "options", "commands", "drawing", "records"]  # of this folder
exclude_patterns = ["conf.py", "extensions", "build", "**/.ipynb_checkpoints"]
suppress_warnings = ["misc.highlighting_failure"]  # of `...` inside of a command
html_theme = "furo"
html_title = "MetaStruct"
html_static_path = ["static"]
html_css_files = ["metastruct.css"]
html_show_sphinx = False
highlight_language = "none"  # commands
pygments_style, pygments_dark_style = "tango", "monokai"
html_math_renderer = "mathml"

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = os.environ.get("NOTEBOOKS", "cache")  # off: shown without results
nb_execution_cache_path = str(HERE / "build" / "notebooks")
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {"ArrayLike": "ArrayLike"}
autoclass_content = "class"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 80
default_role = "code"
nitpicky = False
