"""`rbonn.hw.protocol`: the INFO answer."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rbonn.hw.protocol import GUARDED_BYTES, Command, ElementKind, Info, batch_images

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
    receive_buffer_bytes=1024,
    batch_images=16,
    benchmark=True,
    trace_bytes=300,
)


def test_fields_stand_where_the_protocol_says() -> None:
    payload = INFO.encode()
    assert len(payload) == 64
    assert payload[0] == 2
    assert payload[1:17] == INFO.design_hash + INFO.weights_hash
    assert payload[17:19] == bytes([0, 1])
    assert payload[19:25] == bytes([28, 0, 27, 0, 1, 0])
    assert payload[25:28] == bytes([10, 0, 12])
    assert int.from_bytes(payload[28:32], "little") == INFO.image_bytes == 95
    assert int.from_bytes(payload[32:36], "little") == 24_000_000
    assert int.from_bytes(payload[36:40], "little") == 9408
    assert payload[40] == 0b01111110
    assert payload[41] == 16
    assert int.from_bytes(payload[42:44], "little") == 1024
    assert int.from_bytes(payload[44:46], "little") == 300
    assert payload[46:] == bytes([14]) + b"mnist_mlp_1w1a" + bytes(3)


@given(st.text(max_size=63), st.sampled_from(ElementKind), st.integers(1, 62))
def test_decode_is_the_inverse(name: str, kind: ElementKind, bits: int) -> None:
    info = replace(INFO, name=name, element_kind=kind, element_bits=bits, batch_images=2)
    assert len(info.encode()) % 4 == 0
    assert Info.decode(info.encode()) == info


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "at least 47 bytes, not 0"),
        (INFO.encode()[:-1], "whole words"),
        (INFO.encode() + bytes(4), "name must be 14 bytes, not 21"),
        (b"\1" + INFO.encode()[1:], "version must be 2, not 1"),
        (INFO.encode()[:40] + b"\7" + INFO.encode()[41:], "commands must agree"),
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
        ("receive_buffer_bytes", 100, "receive_buffer_bytes must be a power of two, not 100"),
        ("receive_buffer_bytes", 1, "receive_buffer_bytes must be 2 to 32768, not 1"),
        ("batch_images", 12, "batch_images must be a power of two, not 12"),
        ("batch_images", 64, "batch_images must be 0 to 32, not 64"),
        ("n_classes", 4000, "batch_images must be so few that a frame holds them, not 16"),
        ("trace_bytes", 65536, "trace_bytes must be 0 to 65535"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(INFO, **{field: value})


def test_a_board_has_the_commands_that_its_fields_speak_of() -> None:
    assert INFO.commands == set(Command) - {Command.LOAD}
    plain = replace(INFO, batch_images=0, benchmark=False, trace_bytes=0)
    assert plain.commands == {Command.INFO, Command.INFER, Command.RESET}


@given(st.integers(1, 65535), st.integers(12, 4008))
def test_a_batch_is_as_long_as_the_crc_guards(image_bytes: int, answer_bytes: int) -> None:
    images = batch_images(image_bytes, answer_bytes)
    assert images in (0, 2, 4, 8, 16, 32)
    longest = max(image_bytes, answer_bytes)
    assert images * longest + 9 <= GUARDED_BYTES or images == 0
    twice = 2 * max(images, 1)
    assert twice > 32 or twice * longest + 9 > GUARDED_BYTES
