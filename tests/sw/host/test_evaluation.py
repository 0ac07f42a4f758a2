"""`rbonn.sw.host.evaluation`: a board in Python on a labelled set."""

import numpy as np
import pytest
from rbonn.sw.host.device import Device
from rbonn.sw.host.evaluation import evaluate

from .fake_board import FakeBoard, answer_to
from .test_device import board_of, network


def test_accuracy_and_confusion_are_those_of_the_answers() -> None:
    given = network()
    images = np.random.default_rng(2).integers(0, 256, (150, 2, 2, 1), dtype=np.uint8)
    answered = np.array([answer_to(image.tobytes()).label for image in images])
    labels = answered.copy()
    labels[:30] = (labels[:30] + 1) % 3  # of 150, 30 are wrong
    seen = []
    board: FakeBoard = board_of(given)
    with Device(board, given, timeout_s=0.02) as device:
        found = evaluate(device, images, labels, lambda *event: seen.append(event))
    assert (found.images, found.right, found.accuracy) == (150, 120, 0.8)
    for true in range(3):
        for said in range(3):
            count = int(np.sum((labels == true) & (answered == said)))
            assert found.confusion[true, said] == count
    assert found.labels.tolist() == answered.tolist()
    times = found.latency_ms
    assert 0 < times["least"] <= times["median"] <= times["p95"] <= times["most"]
    assert found.frames_per_second == pytest.approx(150 / found.seconds)
    # 600 bytes at a million a second.
    assert found.line_share == pytest.approx(600e-6 / found.seconds)
    assert found.core_frames_per_second == 240_000
    assert found.retries == 0
    assert seen[-1] == ("latency", 100, 100)
