"""Formats of tables, one a file: `SUFFIXES` of their names, `MAGIC` that their bytes begin with, and `read`."""
