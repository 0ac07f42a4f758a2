"""`rbonn.sw.host.device`: against a board in Python, over lines that damage what they carry."""

import time
from dataclasses import replace

import numpy as np
import pytest
from rbonn.hw.protocol import ErrorCode
from rbonn.sw.errors import DeviceError, InputFileError
from rbonn.sw.host.device import Device
from rbonn.sw.host.protocol import ANSWER, Command, Frame, encode_answer, encode_frame
from rbonn.sw.network import INPUT, Binarise, Bipolar, Dense, EdgeType, Network, UInt

from .fake_board import BATCH_IMAGES, N_CLASSES, FakeBoard, answer_to, error_frame, info, noisy
from .timed_board import TimedBoard

IMAGES = [bytes([k, 0, 7 * k % 256, 255]) for k in range(30)]


def device(board: FakeBoard, network: Network | None = None, **options) -> Device:
    return Device(board, network, **{"timeout_s": 0.02, **options})


def network(name: str = "fake", threshold: int | None = None, sign: int = 1) -> Network:
    weights = np.full((N_CLASSES, 4), sign, np.int8)
    host = () if threshold is None else (Binarise("bits", (INPUT,), threshold),)
    dense = Dense("scores", ("bits" if host else INPUT,), weights, Bipolar())
    return Network(
        name, EdgeType(UInt(8), (2, 2, 1)), (*host, dense), len(host), "scores", ("a", "b", "c")
    )


def board_of(network: Network, **options) -> FakeBoard:
    return FakeBoard(info(network.name, bytes.fromhex(network.hash())[:8]), **options)


def same(answer, image: bytes) -> bool:
    expected = answer_to(image)
    return (answer.label, answer.cycles, answer.scores.tolist()) == (
        expected.label,
        expected.cycles,
        expected.scores.tolist(),
    )


def test_it_asks_info_and_infers() -> None:
    board = FakeBoard()
    with device(board) as connected:
        assert connected.info == board.info
        assert all(same(connected.infer(image), image) for image in IMAGES)
        connected.reset()
        assert connected.retries == 0
    assert board.closed


def test_arrays_are_what_the_host_nodes_make_of_them() -> None:
    binarised = network(threshold=100)
    board = board_of(binarised)
    board.info = replace(board.info, element_bits=1)
    with device(board, binarised) as connected:
        image = np.array([[[99], [100]], [[0], [255]]])
        assert same(connected.infer(image), bytes([0b1010]))
        with pytest.raises(InputFileError, match="2 x 1 x 1"):
            connected.infer(np.zeros((2, 1, 1)))


@pytest.mark.parametrize("seed", range(8))
def test_over_a_bad_line_every_answer_is_right(seed: int) -> None:
    # Of four transmissions one is damaged, each way.
    with device(FakeBoard(damage=noisy(seed, every=4)), attempts=25) as connected:
        assert all(same(connected.infer(image), image) for image in IMAGES[:12])
        assert connected.retries > 0


def test_a_late_answer_is_not_taken_for_that_to_a_later_question() -> None:
    late: list[bytes] = []

    def answers(request: Frame) -> bytes | None:
        # Each answer comes one question too late.
        if request.command != Command.INFER:
            return None
        payload = encode_answer(answer_to(request.payload))
        late.append(encode_frame(Frame(request.sequence, request.command + ANSWER, payload)))
        return late[-2] if len(late) > 1 else b""

    with (
        device(FakeBoard(answers=answers)) as connected,
        pytest.raises(DeviceError, match="no intact answer to INFER"),
    ):
        connected.infer(IMAGES[0])
    assert len(late) == 3


def test_a_damaged_request_is_sent_again_at_once() -> None:
    refused = []

    def answers(request: Frame) -> bytes | None:
        if request.command == Command.INFER and len(refused) < 2:
            refused.append(request.sequence)
            return error_frame(
                request.sequence, [ErrorCode.DAMAGED, ErrorCode.OVERRUN][len(refused) - 1]
            )
        return None

    with device(FakeBoard(answers=answers), timeout_s=20) as connected:
        start = time.monotonic()
        assert same(connected.infer(IMAGES[1]), IMAGES[1])
        assert time.monotonic() - start < 5
        assert connected.retries == 2


def test_a_time_out_is_followed_by_a_delimiter_and_a_new_sequence() -> None:
    board = FakeBoard()
    with device(board) as connected:
        board.answers = lambda request: b""
        board.writes.clear()
        with pytest.raises(DeviceError, match="no answer to INFER in 3 attempts"):
            connected.infer(IMAGES[0])
    assert [written[:1] == b"\0" for written in board.writes] == [False, True, True]
    assert len(set(board.writes)) == 3


def test_what_others_have_begun_does_not_disturb() -> None:
    board = FakeBoard()
    board.begin(encode_frame(Frame(1, Command.INFER, IMAGES[3]))[:7])
    board.say(b"\x01\x02 old bytes" + error_frame(1, ErrorCode.DAMAGED))
    with device(board) as connected:
        assert same(connected.infer(IMAGES[0]), IMAGES[0])
        assert connected.retries == 0


def test_a_board_with_another_network_is_refused() -> None:
    ours, other = network("ours"), network("other")
    board = board_of(other)
    with pytest.raises(DeviceError, match="runs other, not ours") as caught, device(board, ours):
        pass
    assert "flash ours" in caught.value.hint
    assert board.closed
    board = board_of(network("ours", sign=-1))
    with (
        pytest.raises(DeviceError, match="runs ours with other weights, not ours"),
        device(board, ours),
    ):
        pass
    with device(board_of(ours), ours) as connected:
        assert connected.info.name == "ours"


def test_a_silent_port_and_a_babbling_one_are_told_apart() -> None:
    silent = FakeBoard(answers=lambda request: b"")
    with pytest.raises(DeviceError, match="no answer to INFO") as caught, device(silent):
        pass
    assert "rbonn flash" in caught.value.hint
    assert silent.closed
    assert silent.breaks == 1
    babbling = FakeBoard(answers=lambda request: b"login: ")
    with pytest.raises(DeviceError, match="no intact answer to INFO") as caught, device(babbling):
        pass
    assert "baud" in caught.value.hint


def test_a_link_that_only_a_break_revives_is_revived() -> None:
    board = FakeBoard()
    board.answers = lambda request: None if board.breaks else b""
    with device(board) as connected:
        assert same(connected.infer(IMAGES[5]), IMAGES[5])
        board.answers = lambda request: None if board.breaks == 2 else b""
        connected.reset()
    assert board.breaks == 2


@pytest.mark.parametrize(
    ("code", "name"),
    [(2, "BAD_VERSION"), (3, "UNKNOWN_COMMAND"), (4, "BAD_LENGTH"), (77, "code 77")],
)
def test_a_refusal_is_reported(code: int, name: str) -> None:
    board = FakeBoard()
    with device(board) as connected:
        board.answers = lambda request: error_frame(request.sequence, code)
        with pytest.raises(DeviceError, match=f"refused INFER: {name}"):
            connected.infer(IMAGES[0])


def test_an_intact_answer_without_sense_is_reported() -> None:
    board = FakeBoard()
    with device(board) as connected:
        board.answers = lambda request: encode_frame(
            Frame(request.sequence, request.command + ANSWER, b"12345678")
        )
        with pytest.raises(DeviceError, match="answers strangely: Answer must be 20 bytes, not 8"):
            connected.infer(IMAGES[0])
    again = FakeBoard(answers=board.answers)
    with (
        pytest.raises(DeviceError, match="answers strangely: Protocol version must be 2"),
        device(again),
    ):
        pass


def test_images_that_do_not_fit_are_refused() -> None:
    with device(FakeBoard()) as connected:
        with pytest.raises(ValueError, match="Image must be 4 bytes, not 3"):
            connected.infer(b"abc")
        with pytest.raises(ValueError, match="must be bytes"):
            connected.infer(np.zeros((2, 2, 1)))
    with pytest.raises(ValueError, match="Attempts must be at least 1, not 0"):
        Device(FakeBoard(), attempts=0)


def always(keeps_up: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has boards keep up, or not; the line back of `FakeBoard`, with answers larger than images, never would."""
    monkeypatch.setattr("rbonn.sw.host.device.keeps_up", lambda info, speed: keeps_up)


@pytest.mark.parametrize("n_images", [0, 1, 3, 4, 30])
def test_many_images_share_frames_and_are_answered_in_order(
    n_images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    always(True, monkeypatch)
    board = FakeBoard()
    with device(board) as connected:
        board.writes.clear()
        answers = list(connected.infer_many(iter(IMAGES[:n_images])))
        assert all(same(*pair) for pair in zip(answers, IMAGES[:n_images], strict=True))
        assert len(board.writes) == n_images // BATCH_IMAGES + n_images % BATCH_IMAGES
        assert connected.retries == 0


def test_images_share_frames_only_where_core_and_line_back_keep_up() -> None:
    def commands(**changes) -> set[int]:
        board = FakeBoard(replace(info(), n_classes=N_CLASSES, **changes))
        commands: set[int] = set()
        board.answers = lambda request: commands.add(request.command)
        size = board.info.image_bytes
        with device(board) as connected:
            commands.clear()
            list(connected.infer_many([bytes(size)] * 8))
        return commands

    large = {"shape": (10, 10, 1)}
    assert commands(**large) == {Command.BATCH}
    assert commands() == {Command.INFER}  # answers of 20 bytes to images of 4
    assert commands(**large, interval_cycles=2401) == {Command.INFER}  # 100 bytes take 2400 cycles
    assert commands(**large, receive_buffer_bytes=16) == {Command.INFER}
    assert commands(**large, batch_images=0) == {Command.INFER}


@pytest.mark.parametrize("seed", range(4))
def test_over_a_bad_line_many_images_are_answered_right_and_in_order(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    always(seed % 2 == 0, monkeypatch)
    with device(FakeBoard(damage=noisy(seed, every=5)), attempts=40) as connected:
        answers = list(connected.infer_many(IMAGES))
        assert all(same(*pair) for pair in zip(answers, IMAGES, strict=True))
        assert connected.retries > 0


def test_repeated_answers_are_taken_once() -> None:
    board = FakeBoard()
    with device(board) as connected:
        board.damage = lambda line_bytes: (
            line_bytes * 2 if line_bytes[2:3] > b"\x80" else line_bytes
        )
        answers = list(connected.infer_many(IMAGES))
        assert all(same(*pair) for pair in zip(answers, IMAGES, strict=True))


def test_after_an_overrun_one_image_is_sent_at_a_time() -> None:
    board = FakeBoard()
    overruns = 0

    def answers(request: Frame) -> bytes | None:
        nonlocal overruns
        if request.command == Command.INFER and board.unread and overruns < 50:
            overruns += 1
            return error_frame(request.sequence, ErrorCode.OVERRUN)
        return None

    board.answers = answers
    with device(board) as connected:
        assert all(same(*pair) for pair in zip(connected.infer_many(IMAGES), IMAGES, strict=True))
        assert 0 < connected.retries < len(IMAGES) // 2


def test_a_benchmark_is_an_interval() -> None:
    with device(FakeBoard()) as connected:
        found = connected.benchmark()
        assert (found.interval_cycles, found.frames_per_second) == (100, 240_000)
        with pytest.raises(DeviceError, match="refused TRACE: UNKNOWN_COMMAND"):
            connected.trace()


@pytest.mark.parametrize(("latency_s", "n_images"), [(0.001, 1024), (0.016, 1024)])
def test_images_fill_at_least_95_percent_of_the_line(
    latency_s: float, n_images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Images of 98 bytes at 3 Mbaud; USB adapters hold answers back for 1 to 16 ms.
    mnist = replace(info(), shape=(28, 28, 1), element_bits=1, n_classes=10, batch_images=32)
    board = TimedBoard(mnist, latency_s=latency_s, bytes_per_second=300_000)
    monkeypatch.setattr("rbonn.sw.host.exchange.time", board)
    board.answers = lambda request: (
        encode_frame(Frame(request.sequence, request.command + ANSWER, bytes(32 * 48)))
        if request.command == Command.BATCH
        else None
    )
    with device(board, timeout_s=1.0) as connected:
        start_s = board.now_s
        assert len(list(connected.infer_many([bytes(98)] * n_images))) == n_images
        images_s = n_images * 98 / board.bytes_per_second
        assert connected.retries == 0
    assert images_s / (board.now_s - start_s - latency_s) > 0.95
