"""Event files, read back by a reader of their own format: records with checksums, each a protocol buffer."""

import dataclasses
import struct
import time

import pytest
from rbonn.sw.errors import OutputError
from rbonn.sw.train.events import TAGS, TrainingEvents
from rbonn.sw.train.history import EpochRecord
from tensorboardX.proto.event_pb2 import Event, SessionLog

RECORDS = [
    EpochRecord(
        epoch=epoch, stage=epoch // 4, loss=1 / epoch, train_accuracy=0.5 + epoch / 20, selection_accuracy=0.4 + epoch / 20,
        learning_rate=1e-3 / epoch, sign_flip_ratio=0.01 * epoch, active_channel_ratio=0.4, seconds=100.0,
    )
    for epoch in range(1, 8)
]  # fmt: skip


def crc32c(data):
    """Bit by bit, after RFC 3720, appendix B.4."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def read_file(path):
    """The events of one file: length, its checksum, the event, its checksum (TFRecord)."""
    data = path.read_bytes()
    events = []
    while data:
        length, length_crc = struct.unpack("<QI", data[:12])
        assert length_crc == masked(data[:8])
        (event_crc,) = struct.unpack("<I", data[12 + length : 16 + length])
        assert event_crc == masked(data[12 : 12 + length])
        events.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return events


def read(folder):
    """All events of a folder, in the order in which TensorBoard goes through files."""
    return [event for path in sorted(folder.iterdir()) for event in read_file(path)]


def points(folder, tag):
    """(step, value) of every point of `tag` in any file, stale ones too."""
    return [
        (event.step, pytest.approx(value.simple_value, rel=1e-6))
        for event in read(folder)
        for value in event.summary.value
        if value.tag == tag
    ]


def expected(records, field):
    return [(record.epoch, getattr(record, field)) for record in records]


def write(folder, records, history=()):
    with TrainingEvents(folder, history) as events:
        for record in records:
            events.add(record)


def test_the_checksum_is_that_of_the_standard():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, appendix B.4


@pytest.mark.parametrize("field", TAGS)
def test_every_number_of_every_epoch_is_a_point(tmp_path, field):
    write(tmp_path, RECORDS)
    assert points(tmp_path, TAGS[field]) == expected(RECORDS, field)


def test_every_field_but_the_epoch_has_a_name():
    assert {"epoch", *TAGS} == set(dataclasses.asdict(RECORDS[0]))


def test_a_file_begins_with_its_version_and_the_order_to_purge(tmp_path):
    write(tmp_path, [])
    version, start = read(tmp_path)
    assert version.file_version == "brain.Event:2"
    assert start.session_log.status == SessionLog.START
    assert start.step == 0  # all points from there on are dropped


def test_an_epoch_is_on_the_disk_at_once(tmp_path):
    events = TrainingEvents(tmp_path)
    for n, record in enumerate(RECORDS, start=1):
        events.add(record)
        assert points(tmp_path, "loss") == expected(RECORDS[:n], "loss")
    events.close()


def test_a_resumed_training_leaves_no_stale_and_no_doubled_points(tmp_path):
    lost = [dataclasses.replace(record, loss=99.0) for record in RECORDS[3:6]]
    killed = TrainingEvents(tmp_path, RECORDS[:2])
    killed.add(RECORDS[2])
    write(tmp_path, lost, history=RECORDS[:3])  # logged, but killed before a checkpoint
    write(tmp_path, RECORDS[3:], history=RECORDS[:3])
    for field, tag in TAGS.items():
        assert points(tmp_path, tag) == expected(RECORDS, field)
    killed.close()


def test_a_resumed_training_that_lost_its_events_has_them_again(tmp_path):
    write(tmp_path, RECORDS[5:], history=RECORDS[:5])
    assert points(tmp_path, "accuracy/selection") == expected(RECORDS, "selection_accuracy")


def test_a_watched_file_is_emptied_first_and_goes_at_the_next_resume(tmp_path):
    for n in range(1, 5):
        write(tmp_path, [RECORDS[n]], history=RECORDS[:n])
        sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
        assert len(sizes) == min(n, 2)
        assert sizes[-1] > 0
        assert sizes[:-1] == [0] * (len(sizes) - 1)


def test_the_newest_file_is_last_in_the_order_of_names_although_the_clock_was_set_back(
    tmp_path, monkeypatch
):
    write(tmp_path, RECORDS[:2])
    (first,) = tmp_path.iterdir()
    monkeypatch.setattr(time, "time_ns", lambda: 5)
    write(tmp_path, RECORDS[2:3], history=RECORDS[:2])
    assert sorted(tmp_path.iterdir())[0] == first
    assert first.stat().st_size == 0
    assert points(tmp_path, "loss") == expected(RECORDS[:3], "loss")


def test_wall_times_of_resumed_epochs_are_the_time_that_training_took(tmp_path):
    write(tmp_path, [], history=RECORDS[:4])
    times = [event.wall_time for event in read(tmp_path) if event.step]
    now = time.time()
    assert times == sorted(times)
    assert times[-1] - times[0] == pytest.approx(300, abs=1e-3)
    assert now - 60 < times[-1] <= now


def test_other_files_in_the_folder_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    write(tmp_path, RECORDS[:1])
    write(tmp_path, RECORDS[1:2], history=RECORDS[:1])
    assert (tmp_path / "notes.txt").read_text() == "x"


@pytest.mark.parametrize("again", [1, 3])
def test_an_epoch_is_written_once(tmp_path, again):
    with (
        TrainingEvents(tmp_path, RECORDS[:3]) as events,
        pytest.raises(ValueError, match=f"Epoch must be above 3, not {again}"),
    ):
        events.add(RECORDS[again - 1])


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "events").write_text("a file")
    with pytest.raises(OutputError, match="events: event files cannot be written") as caught:
        TrainingEvents(tmp_path / "events")
    assert "--output" in caught.value.hint


def test_a_full_disk_is_an_output_error(tmp_path, monkeypatch):
    events = TrainingEvents(tmp_path)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(events._writer, "write", full)
    with pytest.raises(OutputError, match="No space left on device"):
        events.add(RECORDS[0])
    events.close()


def test_tensorboard_itself_sees_the_points_of_a_resumed_training_once_while_it_watches(tmp_path):
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs TensorBoard"
    )
    watching = accumulators.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})

    def seen():
        watching.Reload()
        return [(point.step, pytest.approx(point.value)) for point in watching.Scalars("loss")]

    write(tmp_path, [*RECORDS[:3], dataclasses.replace(RECORDS[3], loss=99.0)])
    assert len(seen()) == 4
    write(tmp_path, RECORDS[3:], history=RECORDS[:3])
    assert seen() == expected(RECORDS, "loss")
