"""Figures of runs and members. They are drawn without a window; a notebook keeps its own way of showing others."""

import os

os.environ.setdefault("MPLBACKEND", "agg")
