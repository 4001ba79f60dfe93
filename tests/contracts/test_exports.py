"""A member of every dynamics and net leaves for other programs, and says the same there; a new yaml needs no edit."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from metastruct.adaptation.adaptation import Fit
from metastruct.api import export
from metastruct.api.fields import Fields
from metastruct.nets.activation import ACTIVATIONS

H = 0.05


def fields_of(model) -> Fields:
    code = 0.3 * torch.randn(1, model.code_dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Fields(SimpleNamespace(model=model), None, None, Fit(code, code))  # type: ignore[arg-type]


def truth(fields: Fields, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    field = export.VectorField(fields)
    with torch.no_grad():
        points = torch.from_numpy(x)
        return field(points).numpy(), export.Step(field)(points, torch.tensor(H, dtype=torch.float64)).numpy()


def states(fields: Fields, points: int = 5) -> np.ndarray:
    size = len(fields.trained.model.dynamics.state_mean)
    return np.random.default_rng(0).normal(size=(points, size))


def module(path):
    spec = importlib.util.spec_from_file_location("leaving", path)
    written = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(written)
    return written


def agrees(path, fields: Fields, x: np.ndarray) -> None:
    field, step = truth(fields, x)
    written = module(path)
    np.testing.assert_allclose(written.vector_field(x), field, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(written.step(x, H), step, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(written.vector_field(x[:1]), field[:1], rtol=1e-10, atol=1e-12)
    assert np.abs(step - x).max() > 1e-6, "the step stays where it is"


@pytest.fixture(scope="module")
def fields(small, arrangement, random_model) -> Fields:
    return fields_of(random_model(small(*arrangement.overrides, "modulation=full_weight"), gain=2.0))


@pytest.mark.few(1)
def test_a_module_of_numpy_is_the_member(fields, tmp_path):
    agrees(export.write(fields, tmp_path / "member.py", False), fields, states(fields))


@pytest.mark.few(1)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_with_every_activation(small, random_model, tmp_path, activation):
    fields = fields_of(random_model(small(f"net.activation={activation}"), gain=2.0))
    agrees(export.write(fields, tmp_path / "member.py", False), fields, states(fields))


def test_a_module_of_numpy_needs_nothing_else(small, random_model, tmp_path):
    export.write(fields_of(random_model(small())), tmp_path / "member.py", False)
    words = "import sys, member; print(member.vector_field([[0.1, 0.2]]).shape, 'torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["(1,", "2)", "False"]


@pytest.mark.parametrize("step", [False, pytest.param(True, marks=pytest.mark.torture)])
def test_onnx_and_a_program_of_torch_are_the_member(small, random_model, tmp_path, step):
    runtime = pytest.importorskip("onnxruntime")
    fields = fields_of(random_model(small(), gain=2.0))
    x = states(fields)
    expected = truth(fields, x)[step]
    arguments = {"x": x} | ({"h": np.array(H)} if step else {})
    session = runtime.InferenceSession(export.write(fields, tmp_path / "member.onnx", step))
    np.testing.assert_allclose(session.run(None, arguments)[0], expected, rtol=1e-6, atol=1e-9)
    program = torch.export.load(export.write(fields, tmp_path / "member.pt2", step)).module()
    tensors = {name: torch.from_numpy(values) for name, values in arguments.items()}
    np.testing.assert_allclose(program(**tensors).numpy(), expected, rtol=1e-12)


@pytest.mark.torture
def test_onnx_of_every_dynamics(fields, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    x = states(fields)
    session = runtime.InferenceSession(export.write(fields, tmp_path / "member.onnx", False))
    np.testing.assert_allclose(session.run(None, {"x": x})[0], truth(fields, x)[0], rtol=1e-6, atol=1e-8)


def test_another_suffix_is_refused(small, random_model, tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.onnx, \.pt2, \.py, got"):
        export.write(fields_of(random_model(small())), tmp_path / "member.exe", False)
