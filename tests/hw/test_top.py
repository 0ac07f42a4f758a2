"""`rbonn.hw.top`: the whole top level through the bits of its line, driven by the host library's own encoder and decoder."""

from rbonn.hw.protocol import Command, Info
from rbonn.sw.host.protocol import ANSWER, Frame, decode_answer, encode_frame

from .serial_bench import INFO, N_CLASSES, Bench, infer, is_answer

IMAGE = bytes([1, 0, 255, 7, 0, 200])
OTHER = bytes([9, 8, 0, 0, 0, 1])


def test_info_tells_what_the_config_says():
    bench = Bench()
    (frame,) = bench.run([encode_frame(Frame(77, Command.INFO))])
    assert (frame.sequence, frame.command) == (77, Command.INFO + ANSWER)
    assert Info.decode(frame.payload) == INFO
    assert bench.reader.damaged == 0


def test_infer_gives_scores_label_and_cycles():
    bench = Bench()
    (frame,) = bench.run([infer(3, IMAGE)])
    assert is_answer(frame, 3, IMAGE)
    first = next(cycle for event, cycle in bench.handshakes if event == "byte")
    last = next(cycle for event, cycle in bench.handshakes if event == "last")
    assert decode_answer(frame.payload, N_CLASSES).cycles == last - first


def test_requests_sent_ahead_are_answered_in_order():
    bench = Bench(receive_buffer_bytes=256)
    images = [bytes([k, 0, 3 * k, 255 - k, 0, k]) for k in range(8)]
    frames = bench.run([b"".join(infer(k, image) for k, image in enumerate(images))])
    assert len(frames) == 8
    assert all(
        is_answer(frame, k, image)
        for k, (frame, image) in enumerate(zip(frames, images, strict=True))
    )
