"""`rbonn.sim.scoreboard`: words become integers again, and the first difference is found in the order of the data."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sim import Field, Mismatch, OutputSpec, Probe
from rbonn.sim.scoreboard import (
    compare_output,
    compare_probe,
    decode,
    split_fields,
    stored_bytes,
)

PROBE = Probe("conv", (2, 3, 4), lanes=2, element_bits=5, signed=True)


def stored(words: list[int], width: int) -> bytes:
    """Words as the bench writes them."""
    return b"".join(word.to_bytes(stored_bytes(width), "little") for word in words)


def packed(values: np.ndarray, probe: Probe) -> list[int]:
    """Values (images, elements) as words of a probe."""
    mask = (1 << probe.element_bits) - 1
    return [
        sum((int(value) & mask) << lane * probe.element_bits for lane, value in enumerate(word))
        for word in values.reshape(-1, probe.lanes)
    ]


def expected(n_images: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(-16, 16, (n_images, PROBE.elements))


def compare(tmp_path: Path, words: list[int], order: list[int] | None = None):
    path = tmp_path / "capture.bin"
    path.write_bytes(stored(words, PROBE.width))
    return compare_probe(path, PROBE, expected(), np.array([0, 1, 2] if order is None else order))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_fields_come_back_from_captured_words_and_from_integers(data: st.DataObject) -> None:
    fields = data.draw(
        st.lists(st.tuples(st.integers(1, 62), st.booleans()), min_size=1, max_size=4).map(
            lambda sizes: [Field(f"f{n}", *size) for n, size in enumerate(sizes)]
        )
    )
    width = sum(field.bits for field in fields)
    words = data.draw(st.lists(st.integers(0, 2**width - 1), min_size=1, max_size=5))
    captured = np.frombuffer(stored(words, width), np.uint8).reshape(len(words), -1)
    split = split_fields(np.array(words, dtype=object), fields)
    for field, values in zip(fields, decode(captured, fields), strict=True):
        assert values.tolist() == split[field.name].tolist()
    for index, word in enumerate(words):
        rest = word
        for field in fields:
            value = int(split[field.name][index])
            assert value % 2**field.bits == rest % 2**field.bits
            low = -(2 ** (field.bits - 1)) if field.signed else 0
            assert low <= value < low + 2**field.bits
            rest >>= field.bits


def test_equal_words_have_no_mismatch_and_all_elements_are_counted(tmp_path: Path) -> None:
    found = compare(tmp_path, packed(expected(), PROBE))
    assert (found.compared, found.mismatches, found.first) == (72, 0, None)


def test_images_may_repeat(tmp_path: Path) -> None:
    order = [0, 1, 2, 0, 1]
    found = compare(tmp_path, packed(expected()[order], PROBE), order)
    assert (found.compared, found.mismatches) == (120, 0)
    assert compare(tmp_path, packed(expected()[[0, 1, 2, 1, 1]], PROBE), order).first.image == 0


def test_every_difference_is_counted_and_the_first_is_named(tmp_path: Path) -> None:
    values = expected()
    for image, element in ((2, 1), (1, 23), (1, 17)):
        values[image, element] ^= 3
    found = compare(tmp_path, packed(values, PROBE))
    assert found.mismatches == 3
    want, got = int(expected()[1, 17]), int(values[1, 17])
    assert found.first == Mismatch("conv", 1, 1, 1, 1, want, got)  # 17 = (1 * 3 + 1) * 4 + 1


def test_missing_words_are_mismatches(tmp_path: Path) -> None:
    found = compare(tmp_path, packed(expected(), PROBE)[:-2])
    assert (found.compared, found.mismatches) == (68, 4)
    assert found.first == Mismatch("conv", 2, 1, 2, 0, int(expected()[2, 20]), None)
    assert str(found.first).endswith("got nothing")


def test_a_capture_without_words_is_all_missing(tmp_path: Path) -> None:
    found = compare(tmp_path, [])
    assert (found.compared, found.mismatches) == (0, 72)


def test_words_too_many_are_mismatches(tmp_path: Path) -> None:
    found = compare(tmp_path, [*packed(expected(), PROBE), 7])
    assert (found.compared, found.mismatches) == (72, 2)
    assert found.first == Mismatch("conv", 3, 0, 0, 0, None, 7)


def test_bipolar_elements_are_compared_as_plus_and_minus_one(tmp_path: Path) -> None:
    probe = Probe("sign", (1, 1, 40), lanes=40, element_bits=1, bipolar=True)
    bits = np.random.default_rng(2).integers(0, 2, (2, 40))
    path = tmp_path / "capture.bin"
    path.write_bytes(stored(packed(bits, probe), 40))
    assert compare_probe(path, probe, 2 * bits - 1, np.arange(2)).mismatches == 0
    assert compare_probe(path, probe, 1 - 2 * bits, np.arange(2)).mismatches == 80


def test_many_frames_are_compared_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rbonn.sim.scoreboard._BITS_AT_ONCE", 1)
    values = expected()
    values[2, 3] ^= 1
    found = compare(tmp_path, packed(values, PROBE))
    assert (found.compared, found.mismatches, found.first.image) == (72, 1, 2)


def test_an_output_names_the_field_and_the_transfer(tmp_path: Path) -> None:
    output = OutputSpec(36, 3, (Field("score", 32, signed=True), Field("label", 4)))
    score, label = np.array([[-5, 6, 7]]), np.array([[0, 1, 2]])
    words = [(int(s) & 0xFFFFFFFF) | int(n) << 32 for s, n in zip(score[0], label[0], strict=True)]
    words[1] ^= 1 << 33
    path = tmp_path / "output.bin"
    path.write_bytes(stored(words, 36))
    found = compare_output(path, output, {"score": score, "label": label}, np.arange(1))
    assert (found.compared, found.mismatches) == (6, 1)
    assert found.first == Mismatch("output.label", 0, 0, 0, 1, 1, 3)
