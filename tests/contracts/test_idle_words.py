"""A word of a command line that nothing reads is refused, and dropped in a sweep; one that something reads is not."""

from __future__ import annotations

import pytest

from metastruct.config.facts import facts_of, options
from metastruct.config.schema import ConfigError
from metastruct.running.validation import idle, validate
from metastruct.running.validation.idle import check_idle, without_idle

TRAINS = tuple(name for name in options("learner") if facts_of("learner", name).trains)
BARE = tuple(name for name in TRAINS if any("locality" in e["settings"] for e in facts_of("learner", name).ignores))
NONE = "which has no meta-training; leave it out$"
IDLE = {
    "learner=scratch trainer.steps=5": rf"^trainer\.steps=5 has no meaning for learner=scratch, {NONE}",
    "learner=scratch trainer.compile=always": rf"^trainer\.compile=always .*{NONE}",
    "learner=scratch trainer.checkpoint_seconds=9": rf"^trainer\.checkpoint_seconds=9 .*{NONE}",
    "learner=scratch trainer=gauss_newton": rf"^trainer=gauss_newton has no meaning .*{NONE}",
    "learner=scratch optimizer.base_rate=0.1": rf"^optimizer\.base_rate=0\.1 .*{NONE}",
    "learner=scratch optimizer=soap": rf"^optimizer=soap .*{NONE}",
    "learner=scratch optimizer=soap optimizer.every=5": rf"^optimizer=soap .*{NONE}",
    "learner=scratch learner.may_diverge=false": rf"^learner\.may_diverge=false .*{NONE}",
    **{f"learner={name} locality=weak": f"^locality=weak has no meaning for learner={name}, whose" for name in BARE},
    **{f"learner={name} locality.lambda_z=0.1": r"^locality\.lambda_z=0\.1 has no meaning" for name in BARE},
    **{f"learner={name} evaluation.start=zero": r"^evaluation\.start=zero has no meaning" for name in BARE},
    **{f"learner={name} optimizer.code_rate=0.1": r"^optimizer\.code_rate=0\.1 has no" for name in BARE},
    "modulation=camel evaluation.start=zero": "no meaning for adaptation=closed_form, which ends at the same code",
    "evaluation.steps=7": "no meaning for adaptation=levenberg_marquardt, which does not take it",
    "adaptation=gradient adaptation.steps=5 evaluation.steps=7": r"^evaluation\.steps=7 has no meaning for adaptation=",
    "adaptation.starts=0 adaptation.screening=4": "levenberg_marquardt with adaptation.starts=0, which then compares",
    "learner.inner_steps=3": r"no meaning for learner=auto_decoding with learner\.schedule=joint, where codes",
    "learner.outer_steps=3": r"no meaning for learner=auto_decoding with learner\.schedule=joint, where codes",
    "modulation.exact=true modulation.orthogonality=1": r"^modulation\.orthogonality=1 .* with modulation\.exact=True",
    "modulation=shift modulation.tags=[hidden]": r"no meaning for modulation=shift, which changes no matrix",
    "modulation=geps modulation.shift_tags=[] locality.lambda_phi=1": r"^locality\.lambda_phi=1 has no meaning",
    "optimizer.warm_start=0 optimizer.base_rate=0.1": r"^optimizer\.base_rate=0\.1 .* with optimizer\.warm_start=0",
    "optimizer.warm_start=0 trainer.compile=always": r"^trainer\.compile=always .* which then has no step of Adam",
}
READ = (
    *("learner=scratch trainer.steps=12000", "learner=scratch trainer.threads=2", "learner=scratch", "learner=maml"),
    *("learner=scratch experiment=quick", "learner=scratch trainer.accelerator=cpu", "learner=scratch optimizer=adam"),
    *("learner=reptile optimizer=sgd optimizer.base_rate=0.3", "learner=maml locality=default trainer.steps=5"),
    *("adaptation=gradient evaluation.steps=7", "adaptation=gradient locality.lambda_z=0.1", "evaluation.start=zero"),
    *("learner.schedule=alternating learner.inner_steps=3", "modulation.orthogonality=1", "evaluation.steps=300"),
    *("optimizer.base_rate=0.1", "adaptation.screening=4", "modulation.tags=[output]", "learner.inner_steps=5"),
    *(
        "modulation=geps locality.lambda_phi=1",
        "optimizer.warm_start=0 optimizer.rows=9",
        "start=in_box start.box=[[-1,1],[-2,2]]",
    ),
)


@pytest.fixture(autouse=True)
def once(monkeypatch, composed):
    """Hydra takes its time, and composes the same pieces for many words."""
    monkeypatch.setattr(idle, "composed", composed)


@pytest.mark.few(6)
@pytest.mark.parametrize("command", IDLE)
def test_a_word_that_nothing_reads_is_refused(composed, command):
    words = command.split()
    cfg = composed(*words)
    validate(cfg)
    with pytest.raises(ConfigError, match=IDLE[command]) as refused:
        check_idle(cfg, words)
    assert "\n" not in str(refused.value)


@pytest.mark.few(3)
@pytest.mark.parametrize("command", READ)
def test_a_word_that_something_reads_or_that_changes_nothing_is_taken(composed, command):
    words = command.split()
    check_idle(composed(*words), words)


def test_a_sweep_goes_on_without_a_word_that_nothing_reads(composed):
    words = ["learner=scratch", "trainer.steps=5", "seed=3", "optimizer=soap"]
    cfg, kept, notes = without_idle(composed(*words), words)
    assert kept == ("learner=scratch", "seed=3")
    assert cfg == composed(*kept)
    assert notes == [
        f"{word} is dropped for learner=scratch, which has no meta-training" for word in (words[1], words[3])
    ]
