"""A meta-trained model, from the results of its training or from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from metastruct.config.schema import Config, ConfigError
from metastruct.running.assembly import build_model, codes_kept, component, model_outside
from metastruct.running.model_file import Foreign, Labels, check_numbers, contents, labels_of, units_of

if TYPE_CHECKING:
    from torch import Tensor

    from metastruct.adaptation.adaptation import Prior
    from metastruct.dynamics.model import ModulatedModel
    from metastruct.objectives.objective import Objective

UNEXPLAINED = 0.3  # share of the spread of what the objective compares; noise of a fifth may be counted in


@dataclass(frozen=True)
class Trained:
    """A meta-trained model in float64, with the codes of its training tasks and the history of its training."""

    model: ModulatedModel
    objective: Objective
    codes: Tensor  # [tasks, code]
    noise: Tensor | None  # variance of each component of the residual that the codes leave, [components]
    seconds: float
    history: list[tuple[int, float]]  # outer step, training loss
    diverged_at: int | None  # the outer step where the training loss ceased to be finite
    labels: Labels | None = None  # of the training tasks

    @classmethod
    def of(cls, model: ModulatedModel, objective: Objective, result: Mapping[str, Any]) -> Trained:
        """From a model, what it was fitted by, and one of the `Learner.results` of its training."""
        noise = None if result["noise"] is None else result["noise"].double()
        return cls(
            model=model.double().eval(),
            objective=objective.learned(result.get("objective", {}), noise),
            codes=result["codes"].double(),
            noise=noise,
            seconds=float(result["seconds"]),
            history=[(int(step), float(loss)) for step, loss in result["history"]],
            diverged_at=None if result["diverged_at"] is None else int(result["diverged_at"]),
            labels=labels_of(result.get("labels")),
        )

    @classmethod
    def load(cls, cfg: Config, content: bytes, training: str) -> Trained:
        """From the configuration of a run and the bytes of its model file; nothing in the file is executed.

        Args:
            training: the name of the training folder.

        Raises:
            Foreign: the file holds something else.
        """
        return cls.made(cfg, contents(content, training), codes_kept(cfg))

    @classmethod
    def made(cls, cfg: Config, kept: Mapping[str, Any], codes: int | None = None) -> Trained:
        """From the configuration of a run and one of the `Learner.results` of its training, in the units of the data.

        Args:
            codes: how many a training leaves; None: any number.

        Raises:
            Foreign: they are of something else.
        """
        from metastruct.dynamics.dynamics import Scales

        names = ("state_mean", "state_std", "derivative_std", "input_mean", "input_std")
        try:
            scales, units = Scales(**{name: kept["model"].get(f"dynamics.{name}") for name in names}), None
            if kept.get("units") is not None:
                units = units_of(kept["units"], len(scales.state_mean))
            model = build_model(cfg, replace(scales, units=units))
            objective = component(cfg.objective)
            kinds = objective.components(len(model.dynamics.state_mean))
            check_numbers(kept, model, kinds, codes)
            model.load_state_dict(kept["model"])
            if units is not None:
                model = model_outside(cfg, model, units)
            return cls.of(model, objective, kept)
        except (ConfigError, Foreign):
            raise
        except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
            raise Foreign("does not hold the model that its configuration describes") from error

    @property
    def flag(self) -> str | None:
        """What is wrong with the training, where its own members are not explained by their codes."""
        if (
            self.noise is None
            or self.diverged_at is not None
            or (share := float(self.noise.max().sqrt())) < UNEXPLAINED
        ):
            return None
        return (
            f"the training left {share:.0%} of what its own members do unexplained, noise apart; give it more steps, "
            "or, where more do not help, other dynamics, another modulation or another net"
        )

    def prior(self) -> Prior:
        """What the training tasks say of the code of a new one: the Gaussian of their codes, and what those leave."""
        import torch

        from metastruct.adaptation.adaptation import Prior

        least = torch.finfo(torch.float32).eps ** 2
        size = len(self.model.dynamics.state_mean)
        kinds = self.objective.components(size)
        noise = torch.ones(kinds, dtype=self.codes.dtype) if self.noise is None else self.noise.clamp_min(least)
        misfit, error = self.objective.field_noise(noise, size), self.objective.field_error(size)
        return Prior.of(self.codes, self.objective.likelihood(noise), misfit, error)

    def start(self, tasks: int, where: str) -> Tensor:
        """Codes `[tasks, code]` where adaptation begins: "mean", the z_avg of the training codes, or "zero"."""
        mean = self.codes.mean(0)
        return (mean if where == "mean" else 0 * mean).expand(tasks, -1)
