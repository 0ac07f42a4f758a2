"""`rbonn.hw.uart`: bytes and bits, with senders of other rates and phases."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator
from rbonn.hw.uart import UartConfig, UartReceiver, UartTransmitter

PERIOD = 1e-6


def config(divisor: int) -> UartConfig:
    return UartConfig(clock_hz=1_000_000 * divisor, baud=1_000_000)


def receive(divisor: int, levels: list[tuple[int, float]]) -> list[int | str]:
    """What the receiver says about a line that has each level for that many of its bit times."""
    receiver = UartReceiver(config(divisor))
    events: list[int | str] = []

    async def line(ctx) -> None:
        for level, bits in levels:
            ctx.set(receiver.rx, level)
            await ctx.delay(bits * divisor * PERIOD)

    async def watch(ctx) -> None:
        sampled = ctx.tick().sample(
            receiver.o.valid, receiver.o.payload, receiver.framing_error, receiver.line_break
        )
        async for *_, valid, payload, framing_error, line_break in sampled:
            if valid:
                events.append(payload)
            if framing_error:
                events.append("break" if line_break else "framing error")
            assert framing_error or not line_break
            assert not (valid and framing_error)

    simulator = Simulator(receiver)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(line)
    simulator.add_process(watch)
    simulator.run()
    return events


def bits_of(byte: int, bit: float = 1.0) -> list[tuple[int, float]]:
    return [(0, bit), *((byte >> k & 1, bit) for k in range(8)), (1, bit)]


@pytest.mark.parametrize(
    ("divisor", "speed"),
    [(d, s) for d in (4, 5, 7) for s in (0.98, 1.0, 1.02)] + [(24, s) for s in (0.96, 1.0, 1.04)],
)
def test_receiver_follows_senders_of_any_phase_that_are_a_little_fast_or_slow(
    divisor: int, speed: float
) -> None:
    rng = random.Random(divisor)
    sent = [0, 255, 0x55, 0xAA, 1, 0x80, *rng.choices(range(256), k=20)]
    levels: list[tuple[int, float]] = []
    for byte in sent:
        if rng.random() < 0.5:
            levels.append((1, rng.random() * 3))
        levels += bits_of(byte, 1 / speed)
    assert receive(divisor, [(1, 2.0), *levels, (1, 3.0)]) == sent


@pytest.mark.parametrize("divisor", [4, 24])
def test_receiver_ignores_a_short_low_and_goes_on_after_a_framing_error(divisor: int) -> None:
    low_stop = [*bits_of(0x81)[:-1], (0, 1.0), (0, 4.0), (1, 1.0)]
    levels = [
        *((1, 2.0), (0, 0.24), (1, 0.5), (0, 0.24), (1, 3.0)),
        *bits_of(0x42),
        *low_stop,
        *bits_of(0x43),
        *((0, 30.0), (1, 1.0)),
        *bits_of(0x44),
        (1, 3.0),
    ]
    assert receive(divisor, levels) == [0x42, "framing error", 0x43, "break", 0x44]


@pytest.mark.parametrize("divisor", [4, 24])
def test_latency_is_nine_and_a_half_bits_and_four_cycles(divisor: int) -> None:
    receiver = UartReceiver(config(divisor))
    cycles = 0

    async def bench(ctx) -> None:
        nonlocal cycles
        await ctx.tick().repeat(5)
        for level, _ in bits_of(0x0F):
            ctx.set(receiver.rx, level)
            for _ in range(divisor):
                *_, valid = await ctx.tick().sample(receiver.o.valid)
                if valid:
                    return
                cycles += 1

    simulator = Simulator(receiver)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(bench)
    simulator.run()
    assert abs(cycles - (9.5 * divisor + 2)) <= 1


@pytest.mark.parametrize("divisor", [4, 5, 24])
def test_transmitter_sends_ten_bits_per_byte_without_a_pause(divisor: int) -> None:
    transmitter = UartTransmitter(config(divisor))
    sent = [0x00, 0xFF, 0x53, 0xA6]
    line: list[int] = []

    async def feed(ctx) -> None:
        ctx.set(transmitter.i.valid, 1)
        for byte in sent:
            ctx.set(transmitter.i.payload, byte)
            await ctx.tick().until(transmitter.i.ready)
        ctx.set(transmitter.i.valid, 0)
        await ctx.tick().repeat(12 * divisor)

    async def watch(ctx) -> None:
        async for *_, level in ctx.tick().sample(transmitter.tx):
            line.append(level)

    simulator = Simulator(transmitter)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(feed)
    simulator.add_process(watch)
    simulator.run()
    start = line.index(0)
    expected = [level for byte in sent for level, _ in bits_of(byte) for _ in range(divisor)] + [
        1
    ] * divisor
    assert start <= divisor
    assert line[start : start + len(expected)] == expected


def test_receiver_understands_transmitter() -> None:
    transmitter, receiver = UartTransmitter(config(4)), UartReceiver(config(4))
    m = Module()
    m.submodules += [transmitter, receiver]
    m.d.comb += receiver.rx.eq(transmitter.tx)
    received: list[int] = []

    async def feed(ctx) -> None:
        ctx.set(transmitter.i.valid, 1)
        for byte in range(256):
            ctx.set(transmitter.i.payload, byte)
            await ctx.tick().until(transmitter.i.ready)
        ctx.set(transmitter.i.valid, 0)
        await ctx.tick().repeat(60)

    async def watch(ctx) -> None:
        async for *_, valid, payload in ctx.tick().sample(receiver.o.valid, receiver.o.payload):
            if valid:
                received.append(payload)

    simulator = Simulator(m)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(feed)
    simulator.add_process(watch)
    simulator.run()
    assert received == list(range(256))


@pytest.mark.parametrize(
    ("clock_hz", "baud", "message"),
    [
        (0, 1, "clock_hz must be at least 1, not 0"),
        (12_000_000, 0, "baud must be at least 1, not 0"),
        (12_000_000, 4_000_000, "baud must be at most clock_hz / 4 = 3000000, not 4000000"),
        (25_000_000, 3_000_000, "nearest: 3125000"),
    ],
)
def test_a_rate_that_the_clock_cannot_make_is_refused(
    clock_hz: int, baud: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        UartConfig(clock_hz=clock_hz, baud=baud)


def test_config_says_divisor_and_rate() -> None:
    assert UartConfig(clock_hz=24_000_000, baud=1_000_000).divisor == 24
    assert UartConfig(clock_hz=12_000_000, baud=115_200).divisor == 104
    assert UartConfig(clock_hz=12_000_000, baud=3_000_000).byte_cycles == 40
    assert UartConfig(clock_hz=12_000_000, baud=115_200).actual_baud == pytest.approx(115_385, 1e-4)
