"""What a person who waits is told after each epoch."""

import logging
from pathlib import Path

import pytest
from rbonn.sw.train.history import EpochRecord
from rbonn.sw.train.progress import TrainingProgress, duration, say_stopped
from rbonn.sw.train.training_state import Position

RECORD = EpochRecord(
    epoch=3,
    loss=1.23456,
    train_accuracy=0.5,
    selection_accuracy=0.625,
    learning_rate=0.01,
    sign_flip_ratio=0.0123,
    active_channel_ratio=0.25,
    seconds=90.0,
)


def test_an_epochs_line_tells_what_it_gave_and_how_long_the_rest_will_take(caplog):
    with (
        caplog.at_level(logging.INFO, "rbonn.sw.train"),
        TrainingProgress("n", 60, 100, 0, quiet=True) as progress,
    ):
        progress.step()
        progress.epoch(RECORD, Position(best_epoch=2, selection_accuracy=0.75))
        progress.epoch(RECORD, Position())
    start = "epoch 3/60: loss 1.2346, training 50.00 %, selection 62.50 %"
    end = ", flips 1.230 %, active 25.0 %, 90.0 s, 1 h 26 min left"
    assert caplog.messages == [f"{start}, best 75.00 %{end}", f"{start}{end}"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min"),
        (3599, "1 h 0 min"),
        (8000, "2 h 13 min"),
    ],
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        (
            Position(epoch=1, step=7),
            "stopped in step 7 of epoch 2; the state is in out/last; go on with --resume",
        ),
        (
            Position(epoch=3),
            "stopped after epoch 3; the state is in out/last; go on with --resume",
        ),
        (None, "stopped before the first checkpoint was written; start again"),
    ],
)
def test_who_stops_a_training_is_told_where_it_goes_on(caplog, kept, text):
    say_stopped(kept, Path("out/last"))
    assert caplog.messages == [text]
    assert caplog.records[0].levelno == logging.WARNING  # which is shown without any set-up
