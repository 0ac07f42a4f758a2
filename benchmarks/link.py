"""What host and frames cost on the serial line, for the shipped MNIST networks: `python benchmarks/link.py -o benchmarks/results/link.json`.

Share of the line: image bytes of all bytes towards the board, as the host sends them. Host: processor time for packing, framing, checking and decoding 3 200 images, over
the time that their bytes take on the line; it is spent while the line works, so it only has to stay below 1, and it does not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from rbonn.hw.protocol import HASH_BYTES, ElementKind, Info, batch_images
from rbonn.sw.host.device import Device
from rbonn.sw.host.protocol import ANSWER, Command, Frame, decode_frame, encode_frame
from rbonn.sw.host.transport import Transport
from rbonn.sw.models import find_network, samples_of

NETWORKS = ("mnist_mlp_1w1a", "mnist_cnn_1w1a")
BAUD = 3_000_000
SAMPLES, ROUNDS = 100, 32


class Echo(Transport):
    """A board that answers at once; what it takes to be one is not counted."""

    name = "echo"
    bytes_per_second = BAUD / 10

    def __init__(self, info: Info) -> None:
        self.info = info
        self.sent_bytes = 0
        self.own_s = 0.0
        self.answers: list[bytes] = []

    def write(self, line_bytes: bytes) -> None:
        start = time.process_time()
        self.sent_bytes += len(line_bytes)
        for encoded in filter(None, line_bytes.split(b"\0")):
            request = decode_frame(encoded)
            payload = {
                Command.INFO: self.info.encode(),
                Command.INFER: bytes(self.info.answer_bytes),
                Command.BATCH: bytes(self.info.batch_images * self.info.answer_bytes),
            }[Command(request.command)]
            answer = Frame(request.sequence, request.command + ANSWER, payload)
            self.answers.append(encode_frame(answer))
        self.own_s += time.process_time() - start

    def read(self, timeout_s: float) -> bytes:
        return self.answers.pop(0) if self.answers else b""

    def send_break(self) -> None:
        pass

    def close(self) -> None:
        pass


def measured(name: str) -> dict[str, object]:
    """A row of the table."""
    network = find_network(name)
    edge = network.edges[network.device_input]
    info = Info(
        name=name,
        design_hash=bytes(HASH_BYTES),
        weights_hash=bytes.fromhex(network.hash())[:HASH_BYTES],
        element_kind=ElementKind.BIPOLAR,
        element_bits=edge.datatype.bits,
        shape=edge.shape,
        n_classes=len(network.class_names),
        score_bits=12,
        clock_hz=36_000_000,
        interval_cycles=1000,
    )
    batch = batch_images(info.image_bytes, info.answer_bytes)
    board = Echo(replace(info, batch_images=batch))
    images = np.tile(samples_of(network).images[:SAMPLES], (ROUNDS, 1, 1, 1))
    with Device(board, network) as device:
        board.sent_bytes, board.own_s = 0, 0.0
        start = time.process_time()
        count = sum(1 for _ in device.infer_many(images))
        host_s = time.process_time() - start - board.own_s
    line_s = board.sent_bytes / board.bytes_per_second
    return {
        "network": name,
        "image_bytes": info.image_bytes,
        "batch_images": batch,
        "line_share": round(count * info.image_bytes / board.sent_bytes, 4),
        "host_share": round(host_s / line_s, 3),
        "host_us_per_image": round(1e6 * host_s / count, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    rows = [measured(name) for name in NETWORKS]
    command = "python benchmarks/link.py -o benchmarks/results/link.json"
    text = json.dumps({"schema": 1, "command": command, "baud": BAUD, "rows": rows}, indent=1)
    parser.parse_args().output.write_text(text + "\n")


if __name__ == "__main__":
    main()
