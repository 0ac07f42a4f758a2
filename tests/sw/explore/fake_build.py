"""Place and route in no time: a report whose clock is decided by the seed."""

import json
from dataclasses import asdict, dataclass, field

from rbonn.sw.build.design import Design
from rbonn.sw.build.report import Resources
from rbonn.sw.errors import BuildFailedError
from rbonn.sw.explore.builds import Finished

FMAX_MHZ = {1: 50.0, 2: 30.0, 3: 41.0}


@dataclass
class FakeBuild:
    """Stands in for `placed_and_routed`; seeds without a clock fail, `interrupt_after` builds Ctrl-C comes."""

    built: list[tuple[str, int]] = field(default_factory=list)
    interrupt_after: int | None = None

    def __call__(
        self, design: Design, seed: int, key: str, name: str, source_hash: str, use_cache: bool
    ) -> Finished:
        if len(self.built) == self.interrupt_after:
            raise KeyboardInterrupt
        self.built.append((key, seed))
        if seed not in FMAX_MHZ:
            raise BuildFailedError(f"nextpnr: no route with seed {seed}", "Look at its log.")
        report = {
            "name": name,
            "source_hash": source_hash,
            "board": design.board.name,
            "bitstream": "top.bin",
            "resources": asdict(Resources(900 + seed, 100, 700, 12, 0, 0, 1000)),
            "capacity": {"lut4": 5280},
            "fmax_hz": FMAX_MHZ[seed] * 1e6,
            "clock_hz": float(design.clock_hz),
            "timing_met": FMAX_MHZ[seed] * 1e6 >= design.clock_hz,
            "seed": seed,
            "seconds": 1.5,
            "cached": False,
            "tools": {},
        }
        return Finished(
            report, {"report.json": json.dumps(report).encode(), "top.bin": bytes([seed])}
        )
