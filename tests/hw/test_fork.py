"""`rbonn.hw.fork`: every branch gets everything, at its own pace; proved for stalls of any kind."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Cat, ClockDomain, Elaboratable, Module, Mux, ResetInserter, Signal
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.fork import Fork, ForkConfig

from .formal import assert_offer_holds, prove
from .planted import Fault, each_fault
from .stream_driver import Stalls


class Log:
    """Payloads taken on each branch with their cycles, and the cycles in which the input was accepted."""

    def __init__(self, branches: int) -> None:
        self.taken: list[list[int]] = [[] for _ in range(branches)]
        self.cycles: list[list[int]] = [[] for _ in range(branches)]
        self.accepted: list[int] = []


def play(
    config: ForkConfig, inputs: list[int], go: list[Any], n_cycles: int, reset_at: int | None = None
) -> Log:
    """Offers all `inputs`; `go` has one endless pattern for the input and one for each branch.

    A reset, in one cycle, starts both the inputs and the log afresh.
    """
    log, reset = Log(config.branches), Signal()
    fork = config.component()
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = ResetInserter(reset)(fork)

    async def bench(ctx: Any) -> None:
        nonlocal log
        offered, start = False, 0
        for cycle in range(n_cycles):
            if cycle == reset_at:
                ctx.set(fork.i.valid, 0)
                ctx.set(reset, 1)
                await ctx.tick()
                ctx.set(reset, 0)
                log, offered, start = Log(config.branches), False, cycle
            left = len(log.accepted) < len(inputs)
            offered = left and (next(go[0]) or offered)
            ctx.set(fork.i.valid, offered)
            if offered:
                ctx.set(fork.i.payload, inputs[len(log.accepted)])
            readies = [next(pattern) for pattern in go[1:]]
            for branch, ready in zip(fork.outputs, readies, strict=True):
                ctx.set(branch.ready, not ready)
            before = [ctx.get(branch.valid) for branch in fork.outputs]
            for branch, ready in zip(fork.outputs, readies, strict=True):
                ctx.set(branch.ready, ready)
            assert before == [ctx.get(branch.valid) for branch in fork.outputs]
            for index, branch in enumerate(fork.outputs):
                if ctx.get(branch.valid) and readies[index]:
                    log.taken[index].append(ctx.get(branch.payload))
                    log.cycles[index].append(cycle - start)
            if offered and ctx.get(fork.i.ready):
                log.accepted.append(cycle - start)
                offered = False
            await ctx.tick()

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return log


def patterns(seed: int | None, branches: int) -> list[Any]:
    stalls = Stalls(0, names=()) if seed is None else Stalls(seed)
    return [stalls.pattern(name) for name in ("i", *(f"o_{k}" for k in range(branches)))]


def test_each_branch_offers_a_transfer_in_the_cycle_in_which_it_comes_one_in_every_cycle() -> None:
    config = ForkConfig(width=4, branches=3, transfers_per_frame=6)
    inputs = [3, 15, 0, 7, 7, 1] * 2
    log = play(config, inputs, patterns(None, 3), len(inputs) + 3)
    assert log.taken == [inputs] * 3
    assert log.accepted == list(range(len(inputs)))
    assert config.latency_cycles == 0
    assert log.cycles == [log.accepted] * 3
    assert config.interval_cycles == config.inputs_per_frame == config.outputs_per_frame == 6


def test_a_branch_that_never_takes_holds_no_other_back_from_the_transfer_at_hand() -> None:
    config = ForkConfig(width=8, branches=2)
    go = patterns(None, 2)
    go[2] = iter([False] * 100)
    log = play(config, [17, 18], go, 10)
    assert log.taken == [[17], []]
    assert log.accepted == []


def test_it_takes_the_input_with_the_last_branch() -> None:
    config = ForkConfig(width=8, branches=2)
    go = patterns(None, 2)
    go[1], go[2] = iter([True] * 10), iter([False, False, True, False, True] * 2)
    log = play(config, [5, 6, 7], go, 10)
    assert log.taken == [[5, 6, 7]] * 2
    assert log.cycles == [[0, 3, 5], [2, 4, 7]]
    assert log.accepted == [2, 4, 7]


@settings(max_examples=25)
@given(branches=st.integers(2, 4), seed=st.integers(0, 999), data=st.data())
def test_all_branches_get_all_transfers_whatever_stalls(
    branches: int, seed: int, data: st.DataObject
) -> None:
    width = data.draw(st.integers(1, 9))
    inputs = data.draw(st.lists(st.integers(0, 2**width - 1), min_size=1, max_size=20))
    log = play(ForkConfig(width, branches), inputs, patterns(seed, branches), 40 * len(inputs) + 60)
    assert log.taken == [inputs] * branches
    assert log.accepted == [max(cycles) for cycles in zip(*log.cycles, strict=True)]


@pytest.mark.parametrize("reset_at", [1, 2, 3, 4])
def test_a_reset_forgets_who_has_taken(reset_at: int) -> None:
    go = patterns(None, 2)
    go[2] = iter([False, False, True] * 20)
    log = play(ForkConfig(4, 2), [1, 2, 3, 4], go, 30, reset_at)
    assert log.taken == [[1, 2, 3, 4]] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "Width must be at least 1, not 0"),
        ({"branches": 1}, "Branches must be at least 2, not 1"),
        ({"transfers_per_frame": 0}, "Transfers per frame must be at least 1, not 0"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(ForkConfig(1, 2), **change)


class ForkBench(Elaboratable):
    """Any input that keeps the contract, and branches that take when they like, against these rules:

    * each branch offers the transfer at hand exactly until it has taken it, with the input's payload, and then holds;
    * the input is accepted exactly in the cycle in which the last branch takes it.
    """

    def __init__(self, fork: Fork) -> None:
        self.fork = fork

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fork = fork = self.fork
        waits, payload = Signal(), Signal(fork.config.width)
        m.d.comb += [
            fork.i.valid.eq(waits | AnySeq(1)),
            fork.i.payload.eq(Mux(waits, payload, AnySeq(fork.config.width))),
        ]
        m.d.sync += [waits.eq(fork.i.valid & ~fork.i.ready), payload.eq(fork.i.payload)]
        n_in, all_taken = Signal(4), []
        m.d.sync += n_in.eq(n_in + (fork.i.valid & fork.i.ready))
        for branch in fork.outputs:
            n_out, taken = Signal(4), Signal(4)
            m.d.comb += [
                branch.ready.eq(AnySeq(1)),
                taken.eq(n_out + (branch.valid & branch.ready)),
            ]
            m.d.sync += n_out.eq(taken)
            ahead = (n_out - n_in)[:4]
            # The second says which states are reached, for the induction: only the transfer at hand may be ahead.
            m.d.comb += [
                Assert(branch.valid == (fork.i.valid & (ahead == 0))),
                Assert((ahead == 0) | (waits & (ahead == 1))),
            ]
            with m.If(branch.valid):
                m.d.comb += Assert(branch.payload == fork.i.payload)
            assert_offer_holds(m, branch)
            all_taken.append((taken - n_in)[:4] == 1)
        with m.If(fork.i.valid):
            m.d.comb += Assert(fork.i.ready == Cat(all_taken).all())
        return m


@pytest.mark.formal
@pytest.mark.parametrize("branches", [2, 3])
def test_every_branch_takes_every_transfer_once_in_every_reachable_state(
    branches: int, tmp_path: Path
) -> None:
    """By induction: for runs of any length."""
    bench = ForkBench(ForkConfig(2, branches).component())
    assert prove(bench, tmp_path, depth=2, mode="prove") == "PASS"


@pytest.mark.formal
@each_fault(
    Fault("offers again", Fork, "self.i.valid & ~has_taken[index]", "self.i.valid"),
    Fault("never forgets", Fork, "(has_taken | takes) & waits.replicate(len(has_taken))", "has_taken | takes"),
    Fault("taken together only", Fork, "(has_taken | takes).all()", "takes.all()"),
    Fault("accepts with the first", Fork, "(has_taken | takes).all()", "(has_taken | takes).any()"),
    Fault("offers when the other one takes", Fork, "self.i.valid & ~has_taken[index]", "self.i.valid & ~has_taken[index] & takes[0]"),
)  # fmt: skip
def test_the_proof_finds_a_planted_fault(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove(ForkBench(ForkConfig(2, 2).component()), tmp_path, depth=8) == "FAIL"
