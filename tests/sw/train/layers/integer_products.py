"""Sums of products of integers in NumPy: the reference of the layers' products."""

from __future__ import annotations

import numpy as np
import torch


def bits(*shape: int, seed: int = 0) -> torch.Tensor:
    """+1 and -1, float32."""
    generator = torch.Generator().manual_seed(seed)
    return torch.where(torch.rand(shape, generator=generator) < 0.5, -1.0, 1.0)


def integers(x: torch.Tensor) -> np.ndarray:
    return x.detach().numpy().astype(np.int64)


def convolution(
    x: np.ndarray, weight: np.ndarray, stride: int, padding: int, pad_value: int
) -> np.ndarray:
    """x (batch, in, height, width) and weight (out, in, kernel height, kernel width), int64."""
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2), constant_values=pad_value)
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
    return np.einsum("bihwkl,oikl->bohw", windows[:, :, ::stride, ::stride], weight)


def popcounts(
    x: np.ndarray, weight: np.ndarray, stride: int, padding: int, pad_value: int
) -> tuple[np.ndarray, np.ndarray]:
    """How many taps agree, and how many count at all, at each output: tap by tap, padded taps of 0 not counting."""
    n, n_in, height, width = x.shape
    n_out, _, kernel_height, kernel_width = weight.shape
    rows = (height + 2 * padding - kernel_height) // stride + 1
    columns = (width + 2 * padding - kernel_width) // stride + 1
    agree = np.zeros((n, n_out, rows, columns), np.int64)
    counted = np.zeros((n, n_out, rows, columns), np.int64)
    for image, out, row, column in np.ndindex(agree.shape):
        for channel, i, j in np.ndindex(n_in, kernel_height, kernel_width):
            y, z = row * stride + i - padding, column * stride + j - padding
            inside = 0 <= y < height and 0 <= z < width
            tap = x[image, channel, y, z] if inside else pad_value
            counted[image, out, row, column] += tap != 0
            agree[image, out, row, column] += tap != 0 and tap == weight[out, channel, i, j]
    return agree, counted
