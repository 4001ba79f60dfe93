"""What the SLURM launcher makes of a queue, with programs that stand in for SLURM's; end_to_end has the real one."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished import SUMMARY
from finished import finish as finished

from metastruct.config.schema import ConfigError
from metastruct.runs.files import claimed
from metastruct.sweeps.launchers import slurm_queue
from metastruct.sweeps.launchers.launcher import Job, Outcome
from metastruct.sweeps.launchers.slurm import Slurm, begun_anew
from metastruct.sweeps.launchers.slurm_queue import lost, ticket

pytest.importorskip("submitit")

SBATCH = """#!/bin/sh
[ -e refuse ] && { echo "sbatch: error: no such partition" >&2; exit 1; }
cat "$1" >> submitted.sh
echo x >> count
number=$(wc -l < count)
elements=$(sed -n 's/.*--array=0-\\([0-9]*\\).*/\\1/p' "$1")
for i in $(seq 0 ${elements:-0}); do echo "$number${elements:+_$i} PENDING" >> queue; done
echo "Submitted batch job $number"
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> Path:
    """A folder whose file `queue` is what squeue prints; sbatch adds to it."""
    programs = {"sbatch": SBATCH, "squeue": "#!/bin/sh\ncat queue 2>/dev/null || true\n", "srun": "#!/bin/sh\n"}
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(slurm_queue, "PATIENCE", 1)
    return tmp_path


@pytest.fixture
def jobs(cluster) -> list[Job]:
    return [Job((f"seed={seed}",), cluster / f"run{seed}") for seed in range(3)]


def launch(units, **settings) -> list[Outcome]:
    outcomes: list[Outcome] = []
    Slurm(folder="logs", **settings).launch(units, outcomes.append)
    return outcomes


def finish(job: Job) -> None:
    finished(job.folder, seconds=SUMMARY["seconds"] | {"total": 5.0})


def test_units_become_elements_of_one_array_with_what_the_user_asked_for(cluster, jobs):
    settings = {"partition": "gpu", "gpus_per_node": 2, "cpus_per_task": 8, "timeout_min": 30, "array_parallelism": 7}
    launch([jobs[:2], jobs[2:]], wait=False, units_per_element=1, extra={"slurm_qos": "low"}, **settings)
    script = (cluster / "submitted.sh").read_text()
    for line in ("partition=gpu", "gpus-per-node=2", "cpus-per-task=8", "time=30", "array=0-1%2", "qos=low"):
        assert f"#SBATCH --{line}\n" in script
    assert [ticket(job).read_text().strip() for job in jobs] == ["1_0", "1_0", "1_1"]


def test_an_element_takes_as_many_units_as_it_has_slots(cluster, jobs):
    launch([[job] for job in jobs], wait=False, gpus_per_node=1, slots_per_gpu=2)
    assert [ticket(job).read_text().strip() for job in jobs] == ["1_0", "1_0", "1_1"]


def test_what_is_queued_is_not_submitted_twice_and_what_left_the_queue_is(cluster, jobs):
    units = [[job] for job in jobs]
    launch(units[:2], wait=False)
    launch(units, wait=False)
    assert [ticket(job).read_text().strip() for job in jobs] == ["1_0", "1_1", "2"]
    (cluster / "queue").write_text("1_1 RUNNING\n")
    launch(units, wait=False)
    assert [ticket(job).read_text().strip() for job in jobs] == ["3_0", "1_1", "3_1"]


def test_each_job_is_reported_once_with_its_result_its_error_or_its_loss(cluster, jobs, monkeypatch):
    launch([[job] for job in jobs], wait=False)

    def time_passes(seconds: float) -> None:
        finish(jobs[0])
        jobs[1].error.write_text("the loss is not finite\n")
        (cluster / "queue").write_text("")

    monkeypatch.setattr(slurm_queue.time, "sleep", time_passes)
    outcomes = {outcome.job: outcome for outcome in launch([[job] for job in jobs])}
    assert len(outcomes) == 3
    assert (outcomes[jobs[0]].error, outcomes[jobs[0]].seconds) == (None, 5.0)
    assert outcomes[jobs[1]].error == "the loss is not finite"
    assert outcomes[jobs[2]].error.startswith("job 1_2 left the queue: no result")


def test_a_job_in_the_hands_of_another_command_is_taken_and_not_lost(cluster, jobs, monkeypatch):
    launch([[job] for job in jobs], wait=False)
    monkeypatch.setattr(slurm_queue.time, "sleep", lambda _: (cluster / "queue").write_text(""))
    with claimed(jobs[0].claim):
        outcomes = {outcome.job: outcome for outcome in launch([[job] for job in jobs[:2]])}
    assert (outcomes[jobs[0]].error, outcomes[jobs[0]].elsewhere) == (None, True)
    assert "left the queue" in outcomes[jobs[1]].error
    assert not outcomes[jobs[1]].elsewhere


def test_a_controller_that_does_not_answer_loses_no_job(cluster, jobs, monkeypatch):
    launch([jobs[:1]], wait=False)
    monkeypatch.setattr(slurm_queue.time, "sleep", lambda _: None)
    looks = []

    def queue() -> dict[str, str] | None:
        looks.append(1)
        if len(looks) == 1:
            return {"1": "RUNNING"}  # asked before anything is submitted
        if len(looks) == 2:
            return None
        finish(jobs[0])
        return {}

    monkeypatch.setattr(slurm_queue, "queue", queue)
    (outcome,) = launch([jobs[:1]])
    assert outcome.error is None


def test_a_queue_that_stays_unknown_is_not_taken_for_an_empty_one(cluster, jobs, monkeypatch):
    monkeypatch.setattr(slurm_queue.time, "sleep", lambda _: None)
    monkeypatch.setattr(slurm_queue, "queue", lambda: None)
    with pytest.raises(ConfigError, match="squeue"):
        launch([jobs[:1]], wait=False)
    assert not ticket(jobs[0]).exists()


def test_a_forced_job_begins_anew_once_and_not_after_every_timeout(cluster, jobs):
    training = cluster / "training"
    forced = Job((*jobs[0].overrides, "force=true"), jobs[0].folder, training)
    finish(forced)
    training.mkdir()
    (training / "model.ckpt").write_text("of an earlier time")
    launch([[forced], [jobs[1]]], wait=False)
    assert not forced.run.metrics.exists()
    assert not (training / "model.ckpt").exists()
    assert begun_anew(forced).overrides == jobs[0].overrides
    assert ticket(forced).read_text().strip() == "1_0"


def test_a_refusal_is_told_in_one_line(cluster, jobs):
    (cluster / "refuse").touch()
    with pytest.raises(ConfigError, match=r"^the cluster took no job: .*no such partition$"):
        launch([jobs])
    with pytest.raises(ConfigError, match=r"the cluster took no job: .*colour"):
        launch([jobs], extra={"slurm_colour": "red"})
    assert not ticket(jobs[0]).exists()


def test_without_slurm_the_user_is_told_what_to_do(tmp_path, jobs, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="needs sbatch, which this machine has not; use launcher=gpu_pool"):
        launch([jobs])


def test_a_job_that_timed_out_too_often_says_so(tmp_path):
    (tmp_path / "4_1").mkdir()
    log = tmp_path / "4_1" / "4_1_0_log.err"
    log.write_text("INFO - Job not requeued because: timed-out too many times.\nTraceback\n")
    assert "job 4_1 left the queue: timed-out too many times; see" in lost(Job((), tmp_path / "run"), "4_1", tmp_path)


SECOND_LINES = {
    "partition": {"partition": "gpu\nrm -rf ~"},
    "partition with a return": {"partition": "gpu\rrm -rf ~"},
    "folder": {"folder": "logs\ntouch owned"},
    "a value of extra": {"extra": {"slurm_qos": "low\ntouch owned"}},
    "a key of extra": {"extra": {"slurm_qos\ntouch owned": "low"}},
    "a line of extra": {"extra": {"slurm_setup": ["module load x", "x\ntouch owned"]}},
    "deep in extra": {"extra": {"slurm_additional_parameters": {"mail\ntouch owned": "me"}}},
}


@pytest.mark.parametrize("settings", SECOND_LINES.values(), ids=SECOND_LINES)
def test_a_setting_that_would_add_a_line_to_the_script_is_refused_in_one(cluster, jobs, settings):
    with pytest.raises(ValueError, match="one line of printable letters") as refused:
        Slurm(**{"folder": "logs", **settings})
    assert "\n" not in str(refused.value)


def test_words_that_a_shell_would_read_stay_words(cluster, jobs):
    launch([[jobs[0]]], wait=False, partition="gpu; touch owned", extra={"slurm_qos": "$(touch owned)"})
    script = (cluster / "submitted.sh").read_text()
    assert "#SBATCH --partition='gpu; touch owned'\n" in script
    assert "#SBATCH --qos='$(touch owned)'\n" in script
