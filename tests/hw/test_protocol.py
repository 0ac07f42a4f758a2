"""`rbonn.hw.protocol`: the INFO answer."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rbonn.hw.protocol import ElementKind, Info

INFO = Info(
    name="mnist_mlp_1w1a",
    design_hash=bytes(range(8)),
    weights_hash=bytes(range(16, 24)),
    element_kind=ElementKind.BIPOLAR,
    element_bits=1,
    shape=(28, 27, 1),
    n_classes=10,
    score_bits=12,
    clock_hz=24_000_000,
    interval_cycles=9408,
)


def test_fields_stand_where_the_protocol_says() -> None:
    payload = INFO.encode()
    assert len(payload) == 56
    assert payload[0] == 1
    assert payload[1:17] == INFO.design_hash + INFO.weights_hash
    assert payload[17:19] == bytes([0, 1])
    assert payload[19:25] == bytes([28, 0, 27, 0, 1, 0])
    assert payload[25:28] == bytes([10, 0, 12])
    assert int.from_bytes(payload[28:32], "little") == INFO.image_bytes == 95
    assert int.from_bytes(payload[32:36], "little") == 24_000_000
    assert int.from_bytes(payload[36:40], "little") == 9408
    assert payload[40:] == bytes([14]) + b"mnist_mlp_1w1a" + b"\0"


@given(st.text(max_size=63), st.sampled_from(ElementKind), st.integers(1, 62))
def test_decode_is_the_inverse(name: str, kind: ElementKind, bits: int) -> None:
    info = replace(INFO, name=name, element_kind=kind, element_bits=bits)
    assert len(info.encode()) % 4 == 0
    assert Info.decode(info.encode()) == info


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "at least 41 bytes, not 0"),
        (INFO.encode()[:-1], "whole words"),
        (INFO.encode() + bytes(4), "name must be 14 bytes, not 19"),
        (b"\2" + INFO.encode()[1:], "version must be 1, not 2"),
        (INFO.encode()[:28] + b"\1" + INFO.encode()[29:], "image_bytes must be 95"),
        (INFO.encode()[:17] + b"\7" + INFO.encode()[18:], "7 is not a valid ElementKind"),
    ],
)
def test_a_payload_that_contradicts_itself_is_refused(payload: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Info.decode(payload)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("n_classes", 0, "n_classes must be 1 to 16000, not 0"),
        ("score_bits", 33, "score_bits must be 1 to 32, not 33"),
        ("shape", (1000, 1000, 1), "image_bytes must be 1 to 65535, not 125000"),
        ("shape", (28, 0, 1), "shape must be three numbers"),
        ("design_hash", b"short", "design_hash must be 8 bytes"),
        ("name", "x" * 256, "name must be at most 255 bytes"),
        ("clock_hz", 2**32, "clock_hz must be 1 to"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(INFO, **{field: value})
