"""evaluation.npz: what is written is read again, and a file that is none says so."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace

import numpy as np
import pytest

from metastruct.evaluation.archive import SHAPES, WORDS, Archive


@pytest.fixture
def archive() -> Archive:
    """Every array that must be there, each of other numbers, and the singular values of a site."""
    required = [each.name for each in fields(Archive) if each.default is MISSING and each.name != "singular_values"]
    arrays = {}
    for place, name in enumerate(required):
        shape = tuple(2 + len(axis) % 3 if axis != "axes" else 2 for axis in SHAPES.get(name, ("instants",)))
        numbers = np.arange(float(np.prod(shape))).reshape(shape) + place
        arrays[name] = numbers.astype(str) if name in WORDS else numbers
    arrays["grid_axes"] = np.array([0, 1])
    return Archive(**arrays, true_energy=np.ones(arrays["query"].shape[:3]), singular_values={"net.0": np.eye(2)})


def test_an_archive_is_read_as_it_was_written(archive, tmp_path):
    archive.save(tmp_path / "a.npz")
    again = Archive.load(tmp_path / "a.npz")
    for each in fields(Archive):
        np.testing.assert_equal(getattr(again, each.name), getattr(archive, each.name))
    assert again.true_entropy is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_other_numbers_are_read_as_other_numbers(archive, tmp_path):
    replace(archive, times=archive.times + 1).save(tmp_path / "a.npz")
    assert (Archive.load(tmp_path / "a.npz").times != archive.times).all()


@pytest.mark.parametrize("content", [b"", b"something else", b"PK\x03\x04 half"])
def test_a_file_that_is_no_archive_is_told_in_one_line(content, tmp_path):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz must be a whole archive of arrays.*force=true") as refused:
        Archive.load(tmp_path / "a.npz")
    assert "\n" not in str(refused.value)


def test_a_part_of_an_archive_is_told_in_one_line(archive, tmp_path):
    path = tmp_path / "a.npz"
    archive.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="must be a whole archive"):
        Archive.load(path)


def test_an_archive_of_another_version_says_what_is_missing_and_what_is_strange(archive, tmp_path):
    archive.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as stored:
        arrays = dict(stored)
    np.savez(tmp_path / "b.npz", **{name: array for name, array in arrays.items() if name != "grid_axes"}, hue=1)
    with pytest.raises(ValueError, match=r"of this version, and it lacks grid_axes and holds hue; .*force=true"):
        Archive.load(tmp_path / "b.npz")


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        Archive.load(tmp_path / "a.npz")


OTHERS = {
    "of another shape": lambda a: {"query": a.query[:, :, :, :1]},
    "of other tasks": lambda a: {"test_codes": a.test_codes[:-1]},
    "of fewer axes": lambda a: {"rollouts": a.rollouts[0]},
    "words for numbers": lambda a: {"test_codes": a.test_codes.astype(str)},
    "numbers for words": lambda a: {"state_names": np.zeros(len(a.state_names))},
    "complex": lambda a: {"query": a.query * 1j},
    "other times": lambda a: {"times": a.times[:-1]},
    "a component that is not there": lambda a: {"grid_axes": np.array([0, 99])},
    "times that are words": lambda a: {"times": a.times.astype(str)},
    "a history of words": lambda a: {"history": a.history.astype(str)},
    "a history of more axes": lambda a: {"history": a.history.reshape(1, 1, -1)},
    "singular values that are words": lambda a: {"singular_values": {"net.0": np.array([["a"]])}},
    "singular values of no task": lambda a: {"singular_values": {"net.0": np.ones(())}},
    "singular values that are complex": lambda a: {"singular_values": {"net.0": 1j * np.eye(2)}},
    "an energy of other instants": lambda a: {"true_energy": a.true_energy[..., :-1]},
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_an_archive_whose_arrays_do_not_fit_together_is_refused_in_one_line(archive, tmp_path, change):
    replace(archive, **change(archive)).save(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"must be the evaluation of a run, and .*force=true") as refused:
        Archive.load(tmp_path / "a.npz")
    assert "\n" not in str(refused.value)


def test_objects_in_an_archive_are_never_made(archive, tmp_path):
    np.savez(tmp_path / "a.npz", **{name: value for name, value in archive._named() if value is not None} | {
        "query": np.array([{"a": 1}], dtype=object)})  # fmt: skip
    with pytest.raises(ValueError, match="must be a whole archive of arrays"):
        Archive.load(tmp_path / "a.npz")
