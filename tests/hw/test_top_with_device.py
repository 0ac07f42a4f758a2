"""`rbonn.sw.host.Device` against `rbonn.hw.top`: the host program's own code, with a simulated line in the serial port's place."""

from collections.abc import Callable
from typing import Any

import pytest
from amaranth.sim import Simulator
from rbonn.hw.top import Top, TopConfig
from rbonn.sw.host.device import Device
from rbonn.sw.host.transport import Transport

from .serial_bench import BIT, DIVISOR, INFO, PERIOD, FakeCore, scores_of

STEP_S = 50 * BIT


class SimulatedLine(Transport):
    """Runs the simulator while the host waits; `damage` changes each write."""

    name = "simulated line"
    bytes_per_second = 1 / (10 * BIT)

    def __init__(self, damage: Callable[[bytes], bytes] = bytes) -> None:
        self.damage = damage
        core = FakeCore(pause=20)
        self.top = Top(TopConfig(INFO, INFO.clock_hz // DIVISOR), core)
        self.simulator = Simulator(self.top)
        self.simulator.add_clock(PERIOD)
        self.simulator.add_testbench(self._send, background=True)
        self.simulator.add_testbench(self._receive, background=True)
        self.sending: list[tuple[int, int]] = []  # (level, bit times)
        self.received = bytearray()
        self.simulated_s = 0.0
        self.now_s = 0.0  # the host's clock

    def write(self, line_bytes: bytes) -> None:
        for byte in self.damage(line_bytes):
            self.sending += [(0, 1), *((byte >> bit & 1, 1) for bit in range(8)), (1, 1)]

    def read(self, timeout_s: float) -> bytes:
        # A silence of 10 ms is as good as a longer one: nothing is on its way any more.
        end_s = self.simulated_s + min(timeout_s, 0.01)
        while not self.received and self.simulated_s < end_s:
            self.simulated_s += STEP_S
            self.now_s += STEP_S
            self.simulator.run_until(self.simulated_s)
        if not self.received:
            self.now_s += timeout_s
        received = bytes(self.received)
        self.received.clear()
        return received

    def send_break(self) -> None:
        self.sending += [(0, 12), (1, 12)]

    def close(self) -> None:
        pass

    async def _send(self, ctx: Any) -> None:
        while True:
            level, bits = self.sending.pop(0) if self.sending else (1, 1)
            ctx.set(self.top.rx, level)
            await ctx.delay(bits * BIT)

    async def _receive(self, ctx: Any) -> None:
        while True:
            await ctx.negedge(self.top.tx)
            byte = 0
            await ctx.delay(BIT / 2)
            for bit in range(8):
                await ctx.delay(BIT)
                byte |= ctx.get(self.top.tx) << bit
            await ctx.delay(BIT)
            self.received.append(byte)


def use_clock_of(line: SimulatedLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rbonn.sw.host.exchange.time.monotonic", lambda: line.now_s)


def test_the_host_program_talks_to_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    line = SimulatedLine()
    use_clock_of(line, monkeypatch)
    with Device(line, timeout_s=0.02) as device:
        assert device.info == INFO
        for image in (bytes(6), b"\1\2\3\4\5\6", b"\xff" * 6):
            assert device.infer(image).scores.tolist() == scores_of(image)
        device.reset()
        assert device.infer(b"\0\1\0\1\0\1").scores.tolist() == scores_of(b"\0\1\0\1\0\1")
        assert device.retries == 0


def test_the_host_program_gets_over_damage_losses_and_a_board_left_in_the_middle_of_a_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writes = 0

    def damage(line_bytes: bytes) -> bytes:
        nonlocal writes
        writes += 1
        match writes:
            case 4:  # an image with a wrong bit
                return line_bytes[:8] + bytes([line_bytes[8] ^ 4]) + line_bytes[9:]
            case 6:  # an image that stops in the middle
                return line_bytes[:9]
            case 9:  # a delimiter that is lost
                return line_bytes[:-1]
        return line_bytes

    line = SimulatedLine(damage)
    use_clock_of(line, monkeypatch)
    line.write(b"\x09begun by someone else"[:9])
    with Device(line, timeout_s=0.02) as device:
        for image in (b"\1\2\3\4\5\6", b"\xff" * 6, bytes(6), b"abcdef"):
            assert device.infer(image).scores.tolist() == scores_of(image)
        assert device.retries == 3
