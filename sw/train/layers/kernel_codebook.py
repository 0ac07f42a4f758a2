"""Kernels of a binary convolution from a small set of codewords: less than one bit per weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST_TAPS = 9
"""Of a kernel: all 2^9 of them are counted and looked up."""
_RESOLUTION = 2.0**40
"""Latent weights are compared in multiples of 2^-40."""


class KernelCodebook(nn.Module):
    """Codewords u of +1 and -1, all different, and the nearest of them to each kernel w of latent weights.

    All codewords have the same norm, so the nearest in ``||w - u||`` is the one of the greatest ``<u, w>``. A kernel has a number: the sum of ``2^t``
    over its taps t, row by row, that are +1. Codewords stand in the order of their numbers, so that in the full codebook an index is the kernel's
    number; of several that are nearest, the one of the greatest number is taken, so that the full codebook gives sign(w) with sign(0) = +1.

    Parameters
    ----------
    n_codewords : int - 2 to 2^taps
    kernel_size : (height, width) - at most 9 taps

    Members
    -------
    codewords : Tensor (n, height, width) - int8, +1 and -1; at first those of the smallest numbers

    Raises
    ------
    ValueError - a parameter out of its range

    References
    ----------
    Wang et al., Compacting Binary Neural Networks by Sparse Kernel Selection, CVPR 2023 (nearest codeword of a subset of all kernels);
    Wang et al., Sub-bit Neural Networks, ICCV 2021 (a subset per layer, latent weights trained straight through). Their subsets are learned; here it
    is the kernels that occur most often.
    """

    def __init__(self, n_codewords: int, kernel_size: tuple[int, int]) -> None:
        super().__init__()
        self.n_taps = kernel_size[0] * kernel_size[1]
        if not 1 <= self.n_taps <= MOST_TAPS:
            raise ValueError(f"Taps of a kernel must be 1 to {MOST_TAPS} for a codebook, not {self.n_taps}")  # fmt: skip
        if not 2 <= n_codewords <= 1 << self.n_taps:
            raise ValueError(f"Codewords must be 2 to {1 << self.n_taps}, not {n_codewords!r}")
        self.kernel_size = kernel_size
        self.register_buffer("codewords", self._kernels(torch.arange(n_codewords)))

    codewords: Tensor

    @torch.no_grad()
    def choose(self, weight: Tensor) -> None:
        """Takes the kernels that occur most often among the signs of `weight` (out, in, height, width).

        Of equally frequent ones, those of smaller numbers are taken, and so are those that fill the codebook where too few occur.
        """
        counts = torch.bincount(self._numbers(weight).flatten(), minlength=1 << self.n_taps)
        by_frequency = counts.argsort(descending=True, stable=True)
        chosen = by_frequency[: len(self.codewords)].sort().values
        self.codewords.copy_(self._kernels(chosen))

    @torch.no_grad()
    def nearest(self, weight: Tensor) -> Tensor:
        """Index of the codeword nearest to each kernel of `weight` (out, in, height, width), int64 (out, in).

        The same in every precision that holds the weights and on every device, up to weights of 512.
        """
        indices = self._positions()[self._numbers(weight)]  # nothing is nearer than the signs
        if len(self.codewords) == 1 << self.n_taps:
            return indices
        # Whole numbers in float64, which also mixed precision leaves alone: sums are exact in any order. Backwards, because argmax takes the first.
        steps = (weight.double().flatten(2) * _RESOLUTION).round()
        backwards = self.codewords.flatten(1).flip(0).double()
        closest = len(self.codewords) - 1 - (steps @ backwards.T).argmax(-1)
        return torch.where(indices >= 0, indices, closest)

    def decode(self, indices: Tensor) -> Tensor:
        """The kernels of codeword `indices` (out, in), int8 (out, in, height, width): what an index memory and a table of codewords give."""
        return self.codewords[indices]

    def binarise(self, weight: Tensor) -> Tensor:
        """The nearest codewords in the shape and the type of `weight` (out, in, height, width); the gradient passes unchanged."""
        decoded = self.decode(self.nearest(weight)).to(weight.dtype)
        return decoded + (weight - weight.detach())

    @property
    def index_bits(self) -> int:
        """Bits of an index."""
        return (len(self.codewords) - 1).bit_length()

    def rom_bits(self, n_kernels: int) -> int:
        """Bits of a memory of `n_kernels` kernels: their indices and the table of codewords."""
        return n_kernels * self.index_bits + len(self.codewords) * self.n_taps

    def extra_repr(self) -> str:
        return f"{len(self.codewords)}, kernel_size={self.kernel_size}"

    def _numbers(self, kernels: Tensor) -> Tensor:
        """Numbers of the signs of `kernels` (..., height, width), int64 (...)."""
        place = 1 << torch.arange(self.n_taps, device=kernels.device)
        return ((kernels.flatten(-2) >= 0) * place).sum(-1)

    def _kernels(self, numbers: Tensor) -> Tensor:
        """The kernels of `numbers` (n,), int8 (n, height, width)."""
        bits = numbers[:, None] >> torch.arange(self.n_taps, device=numbers.device) & 1
        return (2 * bits - 1).to(torch.int8).reshape(-1, *self.kernel_size)

    def _positions(self) -> Tensor:
        """Index of the codeword of each number, -1 where there is none, int64 (2^taps,)."""
        device = self.codewords.device
        positions = torch.full((1 << self.n_taps,), -1, device=device)
        positions[self._numbers(self.codewords)] = torch.arange(len(self.codewords), device=device)
        return positions
