"""The host's end of a simulated serial line: as cocotb coroutines, and as the host library's transport. Only usable inside a simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from cocotb.task import resume
from cocotb.triggers import First, Timer, ValueChange

from ..sw.host.transport import Transport
from .line_bench import CHUNK_BYTES, CYCLE


class SimulatedLine:
    """Sends and receives bytes through the pins of the design.

    Parameters
    ----------
    bench : handle of `line_bench`
    bit_cycles : float - clock cycles per bit on the host's side; need not be whole
    """

    def __init__(self, bench: Any, bit_cycles: float) -> None:
        self._bench = bench
        self._taken = 0
        bench.bit_time.value = round(CYCLE * bit_cycles)
        self.bit_cycles = bit_cycles

    async def send(self, data: bytes) -> None:
        """Sends `data` without a pause between bytes; returns after the last stop bit."""
        for start in range(0, len(data), CHUNK_BYTES):
            chunk = data[start : start + CHUNK_BYTES]
            self._bench.chunk.value = int.from_bytes(chunk, "little")
            self._bench.chunk_bytes.value = len(chunk)
            sent = int(self._bench.sent.value)
            self._bench.send.value = 1
            while int(self._bench.sent.value) == sent:
                await ValueChange(self._bench.events)
            self._bench.send.value = 0
            await Timer(1, "step")

    async def send_break(self, bits: float = 12) -> None:
        """Holds the line low for so many bit times, then high for two."""
        self._bench.hold_low.value = 1
        await self.wait(bits * self.bit_cycles)
        self._bench.hold_low.value = 0
        await self.wait(2 * self.bit_cycles)

    async def wait(self, cycles: float) -> None:
        """Lets so many clock cycles pass."""
        await Timer(round(CYCLE * cycles), "step")

    def received(self) -> bytes:
        """What has come up to the last delimiter and has not been asked for yet."""
        with Path("received.bin").open("rb") as file:
            file.seek(4 * self._taken)
            words = np.frombuffer(file.read(), "<u4")
        data = words.astype(np.uint8).tobytes()
        data = data[: data.rfind(b"\0") + 1]
        self._taken += len(data)
        return data

    async def receive(self, cycles: float) -> bytes:
        """Waits until a delimiter has come, at most so many cycles; what came up to then, or nothing."""
        end = self.cycle + cycles
        while not (data := self.received()) and self.cycle < end:
            left = max(1, round(CYCLE * (end - self.cycle)))
            await First(ValueChange(self._bench.events), Timer(left, "step"))
        return data

    @property
    def cycle(self) -> int:
        """Clock cycles since the beginning."""
        return int(self._bench.cycle.value)

    @property
    def framing_errors(self) -> int:
        """Bytes from the design that had no stop bit."""
        return int(self._bench.framing_errors.value)


BYTES_PER_SECOND = 1200
"""Speed of the line in the time that `SimulatedTransport` tells.

The host library waits for silence long enough for USB adapters; a slow line keeps that short, counted in clock cycles.
"""


class SimulatedTransport(Transport):
    """The line as the host library sees it; for functions that run under `cocotb.bridge`.

    Parameters
    ----------
    line : SimulatedLine
    """

    name = "the simulated line"
    bytes_per_second = BYTES_PER_SECOND

    def __init__(self, line: SimulatedLine) -> None:
        self._line = line
        self.cycles_per_second = 10 * line.bit_cycles * BYTES_PER_SECOND

    def write(self, line_bytes: bytes) -> None:
        resume(self._line.send)(line_bytes)

    def read(self, timeout_s: float) -> bytes:
        return resume(self._line.receive)(timeout_s * self.cycles_per_second)

    def send_break(self) -> None:
        resume(self._line.send_break)()

    def close(self) -> None:
        pass

    def monotonic(self) -> float:
        """Seconds since the beginning, in place of `time.monotonic`."""
        return resume(self._seconds)()

    async def _seconds(self) -> float:
        return self._line.cycle / self.cycles_per_second
