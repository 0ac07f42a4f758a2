"""How pixels become bits: one threshold, or a thermometer of several."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..activations import sign


class InputBinarise(nn.Module):
    """Pixels to bits: ``o = +1 if x >= threshold else -1``; any shape, float32 or float64, no gradient.

    Parameters
    ----------
    threshold : int - in pixel units, 0 to 255
    """

    def __init__(self, threshold: int = 128) -> None:
        super().__init__()
        if not isinstance(threshold, int) or not 0 <= threshold <= 255:
            raise ValueError(f"Threshold must be an integer from 0 to 255, not {threshold!r}")
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        return sign(x - self.threshold)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}"


class InputThermometer(nn.Module):
    """Pixels to several bits each: ``o[:, c levels + l] = +1 if x[:, c] >= thresholds[l] else -1``; no gradient.

    (batch, channel, height, width) to (batch, channel * levels, height, width), channels fastest in memory. The thresholds are spread evenly over 0..255;
    one level is the threshold 128.

    Parameters
    ----------
    levels : int - bits per pixel and channel, 1 to 128

    Raises
    ------
    ValueError - levels out of that range

    References
    ----------
    Zhang et al., FracBNN, FPGA 2021, section 3.1
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        if not isinstance(levels, int) or not 1 <= levels <= 128:
            raise ValueError(f"Levels must be an integer from 1 to 128, not {levels!r}")
        self.levels = levels
        self.register_buffer("_thresholds", torch.tensor(self.thresholds), persistent=False)

    _thresholds: Tensor

    @property
    def thresholds(self) -> tuple[int, ...]:
        """In pixel units, rising: ``floor(256 (l + 1/2) / levels)``."""
        return tuple(128 * (2 * level + 1) // self.levels for level in range(self.levels))

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.permute(0, 2, 3, 1)  # (batch, height, width, channel)
        bits = sign(pixels[..., None] - self._thresholds.to(x.dtype))
        return bits.flatten(3).permute(0, 3, 1, 2)

    def extra_repr(self) -> str:
        return f"{self.levels}"
