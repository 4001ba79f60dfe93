"""The help of train.py answers at once, and says what things are for."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from metastruct.config.facts import CONF, options
from metastruct.config.schema import groups
from metastruct.running.usage import asked, purpose, usage

SECONDS = 0.4  # of the processor


def test_help_takes_no_time():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, CONF.parent / "train.py", "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < SECONDS


@pytest.mark.parametrize("group", groups())
def test_help_of_a_group_says_what_each_option_is_for(group):
    lines = usage([group, "--help"]).splitlines()[1:]
    said = {line.split()[0]: line.split()[1:] for line in lines}
    assert {*said} == {*options(group)}
    assert all(said.values())


def test_help_of_a_piece_has_its_settings_with_their_bounds():
    text = usage(["net=mlp", "--help"])
    assert "width: 64" in text
    assert "net.width: at least 1" in text
    assert "facts" not in text


def test_a_word_that_is_no_group_is_refused():
    with pytest.raises(ValueError, match="nett is no group; there is adaptation, "):
        usage(["nett", "--help"])


def test_a_yaml_without_a_comment_says_nothing(tmp_path):
    (tmp_path / "piece.yaml").write_text("name: piece\n")
    assert purpose(tmp_path / "piece.yaml") == ""


def test_what_is_typed_without_help_is_no_help():
    assert not asked(["net=mlp", "--cfg", "job"])
