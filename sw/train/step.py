"""One training step: forward, backward, the optimiser's step, and the check that all numbers are still numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batches import Batch
from .compilation import compiled, mixed_precision
from .distillation import Distillation
from .distributed import Ranks, unsynchronised
from .experiment import TrainingConfig
from .finiteness import (
    NonFiniteError,
    all_finite,
    first_nonfinite_output,
    nonfinite_layers,
    norm_sum,
)


class TrainingStep:
    """Forward and backward passes as an experiment has them: compiled, in mixed precision, in parts, over several processes.

    Parameters
    ----------
    network : Module - in training mode where a step is made
    config : TrainingConfig
    ranks : Ranks
    distillation : Distillation or None - None: cross-entropy with the labels
    """

    def __init__(
        self,
        network: nn.Module,
        config: TrainingConfig,
        ranks: Ranks,
        distillation: Distillation | None,
    ) -> None:
        self._network = network
        self._config = config
        self._ranks = ranks
        self._distillation = distillation
        if distillation is not None:
            teacher = distillation.teacher.to(ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload] - not in PyTorch's stubs
            distillation.teacher = compiled(teacher, config, ranks.device)
        self._compiled = compiled(network, config, ranks.device)
        self._wrapped = self._compiled
        self._parameters = list(network.parameters())

    def begin_stage(self, *, some_unused: bool) -> None:
        """Averages gradients over the processes anew; `some_unused`: not every parameter gets a gradient in this stage."""
        self._wrapped = self._compiled  # lets go of the last stage's hooks
        self._wrapped = self._ranks.wrap(self._compiled, some_unused=some_unused)

    def __call__(self, batch: Batch, optimiser: torch.optim.Optimizer) -> tuple[float, int]:
        """Trains on this process's part of a batch; the mean loss and the number of images classified rightly, over all processes.

        Raises
        ------
        NonFiniteError - the loss or a gradient (then the weights are those from before the step) or, after the step, a weight is not finite
        """
        images, labels = batch
        optimiser.zero_grad(set_to_none=True)
        n_parts = self._config.accumulation
        sums = torch.zeros(2, dtype=torch.float64, device=images.device)
        for part, part_batch in enumerate(
            zip(images.chunk(n_parts), labels.chunk(n_parts), strict=True), start=1
        ):
            with unsynchronised(self._wrapped, last=part == n_parts):
                loss, n_right = self._forward(part_batch)
                (loss / n_parts).backward()
            sums += torch.stack([loss.detach().double() / n_parts, n_right.double()])
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        # With the sums, so that the device is waited for once.
        sums = torch.cat([sums, norm_sum(gradients).to(sums.device)[None]])
        loss_sum, n_right_sum, norm = self._ranks.sums(sums.tolist())
        if not math.isfinite(loss_sum):
            raise self._no_loss(loss_sum, images)
        if not math.isfinite(norm) and (layers := nonfinite_layers(self._network, gradients=True)):
            raise NonFiniteError("gradients are not finite", _first(layers, "gradient"))
        optimiser.step()
        if not all_finite(self._parameters):
            names = ", ".join(map(repr, nonfinite_layers(self._network)))
            raise NonFiniteError(
                "weights are not finite", f"in the optimiser's step: layers {names}"
            )
        return loss_sum / self._ranks.size, int(n_right_sum)

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The mean loss of a part of a batch, and its number of images classified rightly."""
        images, labels = batch
        smoothing = self._config.label_smoothing
        with mixed_precision(self._config, self._ranks.device):
            scores = self._wrapped(images)  # (batch, classes)
            scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
            if self._distillation is None:
                loss = functional.cross_entropy(scores, labels, label_smoothing=smoothing)
            else:
                loss = self._distillation.loss(scores, images, labels, smoothing)
        return loss, (scores.detach().argmax(1) == labels).sum()

    def _no_loss(self, loss: float, images: Tensor) -> NonFiniteError:
        """The error for a loss that is no number, in all processes the same: which layer's weights, or else whose output, is the cause."""
        what = f"the loss is {loss}"
        if layers := nonfinite_layers(self._network):
            return NonFiniteError(what, _first(layers, "weights"))
        with mixed_precision(self._config, self._ranks.device):
            layer = first_nonfinite_output(self._network, images)
        found = f"first in the output of layer {layer!r}, with finite weights" if layer else None
        # Each process looks at its own images: it may be those of another one.
        return NonFiniteError(what, self._ranks.first(found) or "with finite weights and scores")


def _first(layers: list[str], values: str) -> str:
    """The layer whose values were hit first: the backward pass goes through the network from its end."""
    others = f" (and {len(layers) - 1} before it)" if len(layers) > 1 else ""
    return f"first in the {values} of layer {layers[-1]!r}{others}"
