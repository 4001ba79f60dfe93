"""What would do nothing, because a part of a driven dynamics is not there, is refused before anything is written."""

from __future__ import annotations

import pytest

from metastruct.config.schema import CONF, ConfigError
from metastruct.running.run import Run
from metastruct.running.validation import validate
from metastruct.running.validation.rehearsal import rehearse

FILES = ("data=files", f"data.path={CONF.parent}/examples/pendulums.csv", "data.states=[q,p]")


def checked(composed, *words: str) -> None:
    cfg = composed(*words)
    validate(cfg)
    rehearse(Run.of(cfg).config)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("system=swing", "dynamics.drive=state"),
            "drive=state makes no sense: no inputs drive the members; change it",
        ),
        (("system=swing", "dynamics.shared=[drive]"), r"shared=\[drive\] makes no sense: no inputs drive"),
        (("system=swing", "dynamics.shared=[friction]"), r"shared=\[friction\] with dynamics.friction=none makes"),
        (
            ("system=pendulum", "dynamics=port_hamiltonian", "dynamics.shared=[storage,drive]"),
            r"shared=\[storage,drive\] makes no sense: no inputs drive the members",
        ),
        (
            ("system=cart_pole", "modulation.tags=[hidden,mass]"),
            r"tags must name sites that are there, some of input, .*mass out, or choose dynamics.shared mass",
        ),
        (
            ("system=cart_pole", "modulation.shift_tags=[input,hidden,drive]"),
            "shift_tags must name sites that are there, .*leave drive out",
        ),
        ((*FILES, "dynamics=mechanical", "data.held_inputs=true"), "held_inputs has no meaning without data.inputs"),
    ],
)
def test_settings_of_parts_that_are_not_there_are_refused_in_one_line(composed, words, message):
    with pytest.raises(ConfigError, match=message) as refused:
        checked(composed, *words)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "words",
    [
        ("system=rlc_circuit", "dynamics.drive=state", "dynamics.shared=[storage,drive]"),
        ("system=cart_pole", "dynamics.shared=[mass,drive]", "modulation.tags=[hidden,mass]"),
        ("system=swing", "dynamics.friction=viscous", "dynamics.shared=[friction]"),
    ],
)
def test_those_of_parts_that_are_there_are_not(composed, words):
    checked(composed, *words)
