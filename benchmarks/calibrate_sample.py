"""The configurations on which costs are fitted and judged: a designed sample, and a random one with another seed.

Each is drawn from a seed, its kind of block, its device family and its number, and from nothing else. In the designed sample the sizes of a kind lie evenly in their
logarithm, in the held-out one they are random. `results/calibration_sample.json` has the digest of each configuration, and was committed before anything was fitted:

    python benchmarks/calibrate_sample.py --write
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import calibrate_stages as stages
import numpy as np
from calibrate_layers import integers_of_stream, layer_parts
from rbonn.boards import ICEBREAKER, ULX3S_85F, Board, Family
from rbonn.hw.stage import StageConfig
from rbonn.sw.files import written_whole
from rbonn.sw.network import Int

PATH = Path(__file__).parent / "results" / "calibration_sample.json"

SEEDS = {"fit": 6001, "held_out": 6002}

BOARD_OF: dict[Family, Board] = {"ecp5": ULX3S_85F, "ice40": ICEBREAKER}
"""Boards whose device forms are drawn."""

MOST_LANES = {"ecp5": 1400, "ice40": 320}
"""Products of bits per cycle of the largest arrays: larger ones take minutes to synthesise."""


@dataclass(frozen=True)
class Case:
    """A configuration. `name` says its shape; `digest` is of everything in `config`."""

    part: str
    family: Family
    block: str
    name: str
    config: StageConfig
    digest: str


def _layer(rng: np.random.Generator, board: Board, size: float, *, least: float = 4, share: float = 1, **options: Any) -> tuple[str, StageConfig]:  # fmt: skip
    """A stage of a layer of `least` products per cycle at size 0, and `share` of the largest arrays' at size 1."""
    lanes = stages.between(least, share * MOST_LANES[board.family], size)
    return layer_parts(rng, board, lanes, **options)


def _integers(rng: np.random.Generator, board: Board, size: float, **options: Any) -> tuple[str, StageConfig]:  # fmt: skip
    return _layer(rng, board, size, least=2, source=integers_of_stream(rng), **options)


def _window(rng: np.random.Generator, board: Board, size: float, part: str) -> tuple[str, StageConfig]:  # fmt: skip
    """Of bits mostly, else of a first layer's integers."""
    is_first = rng.random() < 0.2
    return _layer(rng, board, size, source=integers_of_stream(rng) if is_first else None, part=part)


_products = partial(_layer, source=Int(8), weight_type=Int(8), least=1, share=1 / 40)

DRAWS: dict[str, tuple[stages.Draw, tuple[int, int], tuple[int, int]]] = {
    "bits": (_layer, (12, 7), (10, 5)),
    "bits, logic": (partial(_layer, weights="logic", least=12), (8, 5), (4, 3)),
    "bits, absorbed": (partial(_layer, weights="absorbed", least=8), (4, 2), (3, 2)),
    "integers": (partial(_integers, share=1 / 8), (5, 3), (4, 2)),
    "integers, planes": (partial(_integers, share=1 / 5, planes=True), (4, 2), (3, 2)),
    "products": (_products, (4, 3), (4, 2)),
    "parallel window": (partial(_window, part="parallel_window"), (7, 4), (3, 2)),
    "sliding window": (partial(_window, part="window"), (6, 4), (6, 4)),
    "pair sums": (partial(_integers, share=1 / 16, part="pairs"), (2, 1), (2, 1)),
    "bit planes": (partial(_integers, share=1 / 16, planes=True, part="planes"), (2, 1), (2, 1)),
    "max pool": (stages.max_pool, (4, 2), (4, 2)),
    "avg pool": (stages.avg_pool, (4, 2), (3, 2)),
    "global avg pool": (stages.global_avg_pool, (4, 2), (3, 2)),
    "threshold": (stages.threshold, (5, 3), (4, 2)),
    "thermometer": (stages.thermometer, (3, 2), (2, 1)),
    "affine": (stages.affine, (7, 4), (5, 3)),
    "prelu, powers of two": (stages.prelu, (5, 3), (3, 2)),
    "prelu, free": (partial(stages.prelu, free=True), (3, 1), (2, 1)),
    "residual add": (stages.residual_add, (3, 2), (2, 1)),
    "fork": (stages.fork, (2, 1), (2, 1)),
    "fifo": (stages.fifo, (7, 4), (5, 3)),
    "width converter": (stages.width_converter, (6, 4), (5, 3)),
    "width converter, stream": (partial(stages.width_converter, bits=16), (3, 1), (2, 1)),
    "concat channels": (stages.concat_channels, (4, 2), (3, 2)),
    "arg max": (stages.arg_max, (2, 1), (2, 1)),
}  # fmt: skip
"""Of each kind of block how to draw one, and how many are drawn for the designed sample and the held-out one: of an ECP5, of an iCE40."""


def sample(part: str) -> list[Case]:
    """All cases of "fit" or "held_out"; none of them is in both."""
    known = {case.digest for case in sample("fit")} if part == "held_out" else set()
    return [
        case
        for family in BOARD_OF
        for block in DRAWS
        for case in _cases(part, family, block, known)
    ]


def _cases(part: str, family: Family, block: str, known: set[str]) -> Iterator[Case]:
    """Cases of one kind; what is `known` is drawn again, as the next number. (Of small stages there are not many.)"""
    draw, *counts = DRAWS[block]
    count, kind = counts[family == "ice40"][part == "held_out"], zlib.crc32(f"{family} {block}".encode())  # fmt: skip
    numbers = itertools.count()
    for place in range(count):
        while True:
            rng = np.random.default_rng([SEEDS[part], kind, next(numbers)])
            size = float(rng.random())
            if part == "fit":
                size = (place + size) / count
            name, config = draw(rng, BOARD_OF[family], size)
            digest = digest_of(config)
            if digest not in known:
                break
        known.add(digest)
        yield Case(part, family, block, name, config, digest)


def digest_of(value: Any) -> str:
    """Digest of a config with everything in it but what has its default: a field that is added later changes nothing that there was."""
    digest = hashlib.sha256()
    _absorb(digest, value)
    return digest.hexdigest()[:16]


def _absorb(digest: Any, value: Any) -> None:
    if is_dataclass(value):
        digest.update(f"{type(value).__name__}(".encode())
        for item in fields(value):
            if getattr(value, item.name) == item.default:
                continue
            digest.update(f"{item.name}=".encode())
            _absorb(digest, getattr(value, item.name))
    elif isinstance(value, tuple | list):
        digest.update(f"[{len(value)}".encode())
        for item in value:
            _absorb(digest, item)
    elif isinstance(value, int):
        digest.update(f"{int(value):x},".encode())
    else:
        digest.update(f"{value!r},".encode())


def described() -> list[dict[str, str]]:
    """Every case without its config."""
    names = ("part", "family", "block", "name", "digest")
    return [{n: getattr(case, n) for n in names} for part in SEEDS for case in sample(part)]


def main() -> None:
    """Writes the sample, or compares it with the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the sample's file anew")
    values = {"schema": 1, "seeds": SEEDS, "cases": described()}
    if parser.parse_args().write:
        with written_whole(PATH) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n")
    elif json.loads(PATH.read_text()) != values:
        raise SystemExit(f"The sample is not that of {PATH}")


if __name__ == "__main__":
    main()
