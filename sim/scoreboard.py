"""Compares what the bench captured with what was expected, edge by edge in the order of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .specification import Field, OutputSpec, Probe

_BITS_AT_ONCE = 1 << 25
"""Captured bits decoded at a time; a decoded bit takes a byte or, in a wide element, eight."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first difference of a simulation, in the order of the data.

    Parameters
    ----------
    layer : str - the graph edge, or ``output.<field>``
    image : int - number of the image, from 0
    y, x, channel : int - the element; in the output `channel` is the number of the transfer
    expected : int or None - None: nothing more was expected
    got : int or None - None: nothing came
    """

    layer: str
    image: int
    y: int
    x: int
    channel: int
    expected: int | None
    got: int | None

    def __str__(self) -> str:
        got = "nothing" if self.got is None else self.got
        expected = "nothing" if self.expected is None else self.expected
        return (
            f"{self.layer}: image {self.image}, pixel ({self.y}, {self.x}), channel {self.channel}: "
            f"expected {expected}, got {got}"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the comparison of one edge found: `compared` and `mismatches` count elements."""

    edge: str
    compared: int
    mismatches: int
    first: Mismatch | None


def stored_bytes(width: int) -> int:
    """Bytes of a captured word of `width` bits."""
    return 4 * -(-width // 32)


def decode(words: np.ndarray, fields: Sequence[Field]) -> list[np.ndarray]:
    """Fields of captured words.

    Parameters
    ----------
    words : uint8 array (n, `stored_bytes`) - little-endian words as the bench writes them
    fields : from the least significant bit on

    Returns
    -------
    list of int64 arrays (n,), one per field
    """
    bits = np.unpackbits(words, axis=1, bitorder="little")  # (n, bits)
    values, offset = [], 0
    for field in fields:
        values.append(_integers(bits[:, offset : offset + field.bits], signed=field.signed))
        offset += field.bits
    return values


def _integers(bits: np.ndarray, *, signed: bool) -> np.ndarray:
    """int64 values of bit vectors (..., bits), least significant first."""
    weights = np.int64(1) << np.arange(bits.shape[-1], dtype=np.int64)
    if signed:
        weights[-1] = -weights[-1]
    return bits.astype(np.int64) @ weights


def split_fields(words: np.ndarray, fields: Sequence[Field]) -> dict[str, np.ndarray]:
    """Payload words (an array of any integers, Python's included) as one int64 array per field, same shape."""
    words = np.asarray(words).astype(object)
    values, offset = {}, 0
    for field in fields:
        value = (words >> offset) & ((1 << field.bits) - 1)
        if field.signed:
            value = value - ((value >> (field.bits - 1)) << field.bits)
        values[field.name] = value.astype(np.int64)
        offset += field.bits
    return values


def compare_probe(path: Path, probe: Probe, expected: np.ndarray, order: np.ndarray) -> Comparison:
    """Compares the words captured at a probe.

    Parameters
    ----------
    path : file that the bench wrote
    probe : what it holds
    expected : int64 array (images, H * W * C)
    order : int64 array (frames,) - the image of each frame that was sent
    """
    element = Field("element", probe.element_bits, probe.signed)
    expected = expected.reshape(len(expected), probe.transfers_per_image, probe.lanes)

    def decoded(words: np.ndarray) -> np.ndarray:  # (frames, transfers, lanes)
        bits = np.unpackbits(words, axis=1, bitorder="little")[:, : probe.width]
        values = _integers(bits.reshape(-1, probe.lanes, element.bits), signed=element.signed)
        return 2 * values - 1 if probe.bipolar else values

    height, width, channels = probe.shape

    def place(transfer: int, lane: int) -> tuple[int, int, int]:
        y, x, channel = np.unravel_index(transfer * probe.lanes + lane, (height, width, channels))
        return int(y), int(x), int(channel)

    return _compare(path, probe.edge, probe.width, decoded, expected, order, [probe.edge], place)


def compare_output(
    path: Path, output: OutputSpec, expected: dict[str, np.ndarray], order: np.ndarray
) -> Comparison:
    """Compares the words that left the design; `expected` maps each field to an int64 array (images, transfers)."""
    stacked = np.stack([expected[field.name] for field in output.fields], axis=-1)
    layers = [f"output.{field.name}" for field in output.fields]

    def decoded(words: np.ndarray) -> np.ndarray:
        return np.stack(decode(words, output.fields), axis=-1)

    def place(transfer: int, lane: int) -> tuple[int, int, int]:
        return 0, 0, transfer

    return _compare(path, "output", output.width, decoded, stacked, order, layers, place)


def _compare(
    path: Path,
    edge: str,
    width: int,
    decoded: Callable[[np.ndarray], np.ndarray],
    expected: np.ndarray,
    order: np.ndarray,
    layers: list[str],
    place: Callable[[int, int], tuple[int, int, int]],
) -> Comparison:
    """Compares a capture with `expected` (images, transfers, values per word), frame by frame in pieces of bounded size.

    `layers` names the values of a word: all of them (one name) or each (as many names as values).
    """
    n_transfers, n_values = expected.shape[1:]
    word_bytes = stored_bytes(width)
    captured = np.fromfile(path, np.uint8)
    captured = captured[: len(captured) // word_bytes * word_bytes].reshape(-1, word_bytes)
    frames_at_once = max(1, _BITS_AT_ONCE // (8 * word_bytes * n_transfers))
    compared = mismatches = 0
    first: Mismatch | None = None

    def mismatch(frame: int, index: int, want: int | None, got: int | None) -> Mismatch:
        transfer, value = divmod(index, n_values)
        layer = layers[value] if len(layers) > 1 else layers[0]
        image = int(order[frame]) if frame < len(order) else frame
        y, x, channel = place(transfer, value)
        return Mismatch(layer, image, y, x, channel, want, got)

    for start in range(0, len(order), frames_at_once):
        frames = order[start : start + frames_at_once]
        want = expected[frames].reshape(-1)
        words = captured[start * n_transfers : (start + len(frames)) * n_transfers]
        got = decoded(words).reshape(-1)
        different = np.flatnonzero(got != want[: len(got)])
        compared += len(got)
        mismatches += len(different) + len(want) - len(got)
        if first is None and len(different):
            frame, index = divmod(int(different[0]), n_transfers * n_values)
            first = mismatch(start + frame, index, int(want[different[0]]), int(got[different[0]]))
        elif first is None and len(got) < len(want):
            frame, index = divmod(len(got), n_transfers * n_values)
            first = mismatch(start + frame, index, int(want[len(got)]), None)

    extra = captured[len(order) * n_transfers :]
    if len(extra):
        mismatches += len(extra) * n_values
        if first is None:
            first = mismatch(len(order), 0, None, int(decoded(extra[:1]).reshape(-1)[0]))
    return Comparison(edge, compared, mismatches, first)
