"""Distillation: a real-valued teacher's scores beside, or in place of, the labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ..errors import CheckpointError, ExperimentError
from ..models import shipped_teacher

if TYPE_CHECKING:
    from .experiment import Experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationConfig:
    """How a teacher takes part in the loss.

    Parameters
    ----------
    teacher : str - name of an experiment, whose checkpoint lies in a folder of that name beside the student's or ships, or path of a checkpoint
    temperature : float - T, by which both networks' scores are divided before the softmax
    label_share : float - part of the loss that is the labels' cross-entropy, 0 to 1; 0 is the published recipe
    """

    teacher: Annotated[str, Field(min_length=1)]
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    label_share: Annotated[float, Field(ge=0, le=1)] = 0.0


class Distillation:
    """``loss = (1 - h) T^2 H(softmax(t / T), softmax(s / T)) + h H(label, softmax(s))``, each a mean over the batch.

    H(p, q) = -sum p log q is the cross-entropy, t and s are the teacher's and the student's scores, h the label share. T^2 keeps the gradient's size
    about the same at every temperature (Hinton, section 2); at T = 1 and h = 0 this is the loss of the released RBONN and ReActNet. Its gradient
    in s is that of the Kullback-Leibler divergence from the teacher, since the teacher's own entropy is constant.

    Parameters
    ----------
    config : DistillationConfig
    teacher : Module - pixels 0..255 to scores, as the student; is put in eval mode and loses its gradients for good

    Members
    -------
    fingerprint : str - SHA-256 of the teacher's parameters and statistics: a resumed training needs the same

    References
    ----------
    Hinton, Vinyals, Dean, Distilling the knowledge in a neural network, 2015, sections 2 and 2.1; Liu et al., ReActNet, ECCV 2020, section 4.3
    """

    def __init__(self, config: DistillationConfig, teacher: nn.Module) -> None:
        self.config = config
        self.teacher = teacher.eval().requires_grad_(False)
        self.fingerprint = _fingerprint(teacher)

    def to(self, device: torch.device | str) -> Distillation:
        """Moves the teacher there; this object."""
        self.teacher.to(device)
        return self

    def loss(
        self, scores: Tensor, images: Tensor, labels: Tensor, label_smoothing: float = 0.0
    ) -> Tensor:
        """The student's loss, a scalar of float32.

        Parameters
        ----------
        scores : Tensor (batch, classes) - the student's
        images : Tensor (batch, channel, height, width) - pixels 0..255 as the student saw them, augmented
        labels : Tensor (batch,) int64
        label_smoothing : float - of the labels' part only: the teacher's scores are soft already
        """
        share = self.config.label_share
        loss = scores.new_zeros((), dtype=torch.float32)
        if share < 1:
            temperature = self.config.temperature
            soft = soft_cross_entropy(scores, self.teacher_scores(images), temperature)
            loss = loss + (1 - share) * temperature**2 * soft
        if share > 0:
            hard = functional.cross_entropy(scores.float(), labels, label_smoothing=label_smoothing)
            loss = loss + share * hard
        return loss

    @torch.no_grad()
    def teacher_scores(self, images: Tensor) -> Tensor:
        """The teacher's scores (batch, classes), with its running statistics whatever mode the student is in."""
        if self.teacher.training:  # someone called train() on a module that holds both
            self.teacher.eval()
        return self.teacher(images)


def soft_cross_entropy(scores: Tensor, teacher_scores: Tensor, temperature: float = 1.0) -> Tensor:
    """``mean over the batch of -sum softmax(t / T) log softmax(s / T)``, both (batch, classes); a scalar of float32 or wider."""
    dtype = torch.promote_types(
        scores.dtype, torch.float32
    )  # in bfloat16 a sum loses its small terms
    target = (teacher_scores.to(dtype) / temperature).softmax(dim=1)
    return functional.cross_entropy(scores.to(dtype) / temperature, target)


def teacher_path(teacher: str, output: Path) -> Path:
    """Where the checkpoint of `teacher` lies for a student that writes into `output`.

    Parameters
    ----------
    teacher : str - name of an experiment: ``NAME/checkpoint.safetensors`` beside `output`, else the teacher that ships under that name; or,
        with a separator or a suffix, the path of a checkpoint or of the folder that it lies in
    output : Path - the student's folder

    Raises
    ------
    CheckpointError - there is no such file; the hint says how to train it
    """
    from .checkpoint import CHECKPOINT  # which imports this module's config

    named = Path(teacher).name == teacher and not Path(teacher).suffix
    path = output.absolute().parent / teacher if named else Path(teacher)
    if named or path.is_dir():
        path /= CHECKPOINT
    if named and not path.is_file() and (shipped := shipped_teacher(teacher)) is not None:
        return shipped
    if not path.is_file():
        hint = "Name a checkpoint.safetensors of 'rbonn train', or an experiment."
        if named:
            usual = path.parent == Path("runs", teacher).absolute()
            place = "" if usual else f" --output {path.parent}"
            hint = f"Train it first: rbonn train {teacher}{place}"
        raise CheckpointError(f"{path}: no checkpoint of the teacher {teacher!r}", hint)
    return path


def load_distillation(experiment: Experiment, output: Path) -> Distillation | None:
    """The distillation that `experiment` asks for, with its teacher's trained network; None where it asks for none.

    Parameters
    ----------
    experiment : Experiment - the student's
    output : Path - the student's folder, beside which named teachers are looked for

    Raises
    ------
    CheckpointError - the teacher's checkpoint is missing or cannot be read
    ExperimentError - the teacher was trained on another data set, in another size or with other classes, or is what this training writes
    """
    from .checkpoint import CHECKPOINT, load_checkpoint

    config = experiment.distillation
    if config is None:
        return None
    path = teacher_path(config.teacher, output)
    if path.resolve() == (output / CHECKPOINT).resolve():
        raise ExperimentError(
            f"{experiment.name}: would be its own teacher, and overwrite it",
            "Name another network in distillation.teacher, or another output folder.",
        )
    network, made_by = load_checkpoint(path)
    if (made_by.dataset, made_by.pictures) != (experiment.dataset, experiment.pictures):
        other = f"{made_by.dataset}, not {experiment.dataset}"
        if made_by.dataset == experiment.dataset:
            other = f"{made_by.dataset} with another table [pictures]"
        raise ExperimentError(
            f"{experiment.name}: the teacher {made_by.name} knows {other}",
            "Name a teacher trained on the same data set in distillation.teacher.",
        )
    return Distillation(config, network)


def _fingerprint(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        # As bytes: NumPy has no bfloat16.
        digest.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
