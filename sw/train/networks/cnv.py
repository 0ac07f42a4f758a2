"""FINN's CNV: a VGG-like binary network for 32 x 32 pixels, as a configuration of `Cnn`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..activations import Estimator
from .cnn import Cnn, CnnConfig, ConvConfig
from .image import ImageShape
from .recurrent_config import RecurrentConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class CnvConfig:
    """Shape of a `Cnv`; the defaults are FINN's but for the thermometer code, which stands for its 8-bit pixels.

    Parameters
    ----------
    width : int - channels of the first two convolutions; FINN's network has 64
    input_threshold : int - pixels from this value on are +1, 0 to 255; used without `input_levels`
    input_levels : int or None - bits of the thermometer code of each pixel, None for one bit by `input_threshold`
    estimator : str - gradient of the activations, ``approximate`` or ``clip``
    recurrent : RecurrentConfig - RBONN's settings, of every binary layer but the head
    """

    kind: Literal["cnv"] = "cnv"
    width: int = 64
    input_threshold: int = 128
    input_levels: int | None = 8
    estimator: Estimator = "approximate"
    recurrent: RecurrentConfig = field(default_factory=RecurrentConfig)

    def chain(self) -> CnnConfig:
        """The same network as a `CnnConfig`: convolutions of 1, 1, 2, 2, 4 and 4 widths, dense layers of 8 and 8."""
        if self.width < 1:
            raise ValueError(f"Width must be at least 1, not {self.width!r}")
        convolutions = tuple(
            ConvConfig(channels=self.width * times, pool=pool)
            for times, pool in ((1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 1))
        )
        return CnnConfig(
            convolutions=convolutions,
            hidden=(8 * self.width,) * 2,
            input_threshold=self.input_threshold,
            input_levels=self.input_levels,
            estimator=self.estimator,
            recurrent=self.recurrent,
        )


class Cnv(Cnn):
    """Six 3x3 convolutions without padding, pooled after the second and the fourth, two dense layers and a head: see `Cnn`.

    With 64 channels and one bit per pixel it has 1 542 848 weights.

    Raises
    ------
    ValueError - images smaller than 30 x 30 pixels, or a parameter out of its range

    References
    ----------
    Umuroglu et al., FINN: A Framework for Fast, Scalable Binarized Neural Network Inference, FPGA 2017, section 4
    """

    def __init__(self, config: CnvConfig, image: ImageShape, n_classes: int) -> None:
        super().__init__(config.chain(), image, n_classes)
