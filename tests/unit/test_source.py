"""What a law imports belongs to its key, installed libraries do not, wherever they are installed."""

from __future__ import annotations

import sys

from metastruct.runs.source import sources

LAW = "import helper_of_law\nimport library_elsewhere\nimport broken_package.part\n"


def test_libraries_do_not_count_and_a_package_that_ends_in_an_error_stops_nothing(tmp_path, monkeypatch):
    libraries, broken = tmp_path / "venv" / "site-packages", tmp_path / "own" / "broken_package"
    libraries.mkdir(parents=True)
    broken.mkdir(parents=True)
    (tmp_path / "own" / "helper_of_law.py").write_text("G = 9.81\n")
    (libraries / "library_elsewhere.py").write_text("import helper_of_library\n")
    (broken / "__init__.py").write_text("assert False\n")
    (broken / "part.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "own"), str(libraries), *sys.path])
    assert sources({"law": LAW}) == {"law": LAW, "helper_of_law": "G = 9.81\n"}
