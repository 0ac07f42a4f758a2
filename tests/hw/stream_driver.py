"""Drives a stage in Amaranth's simulator, stalls it on both sides and checks the stream contract on its output.

A stage is any component with one or more input streams and one output stream ``o``. Payloads go in and come out as plain
unsigned integers, whatever their shape. What is checked in every cycle:

* an offered output holds, with its payload, until it is taken;
* `valid` of the output does not depend on `ready` of the same cycle (looked at in stalled runs, where it costs time);
* something moves within `idle_limit` cycles, otherwise `StreamError` names the cycle and how far each stream got;
* after the last expected output, nothing more is offered for `settle_cycles` cycles.

The driver itself keeps the contract: an input, once offered, is offered until it is taken.

Examples
--------
>>> run = drive(config.component(), frames, n_outputs=len(expected))
>>> assert run.outputs == expected
>>> assert run.intervals(config.outputs_per_frame)[1:] == [config.interval_cycles] * 2
>>> assert drive(config.component(), frames, n_outputs=n, stalls=Stalls(seed=1)).outputs == expected
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import ClockDomain, Fragment, Module, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

PERIOD_S = 1e-6


class StreamError(AssertionError):
    """The stage broke the stream contract, stopped, or delivered more than was expected."""


@dataclass(frozen=True)
class Stalls:
    """Random stalls: runs of `True` (go) and `False` (wait), lengths drawn from 1 to `longest_go` and `longest_wait`.

    Each stream has its own sequence, a pure function of `seed` and the stream's name. `names` limits the stalls to
    those streams, for example ``("o",)``; None stalls all.
    """

    seed: int
    longest_go: int = 5
    longest_wait: int = 4
    names: tuple[str, ...] | None = None

    def pattern(self, name: str) -> Iterator[bool]:
        """Endless sequence of one flag per cycle for the stream `name`."""
        rng = random.Random(f"{self.seed} {name}")
        stalled = self.names is None or name in self.names
        go = rng.random() < 0.5
        while stalled:
            yield from [go] * rng.randint(1, self.longest_go if go else self.longest_wait)
            go = not go
        while True:
            yield True


@dataclass
class Run:
    """What happened; cycles count from 0, the first cycle after the reset."""

    outputs: list[int] = field(default_factory=list)
    """Payloads taken from the output, as unsigned integers."""
    output_cycles: list[int] = field(default_factory=list)
    """Cycle in which each output was taken."""
    input_cycles: dict[str, list[int]] = field(default_factory=dict)
    """Cycle in which each input was accepted, for each input stream."""

    def intervals(self, outputs_per_frame: int) -> list[int]:
        """Cycles from the last output of each frame to the last output of the next: one less than there are frames."""
        ends = self.output_cycles[outputs_per_frame - 1 :: outputs_per_frame]
        return [after - before for before, after in itertools.pairwise(ends)]

    def latency(self, output: int, needs_input: int, name: str = "i") -> int:
        """Cycles from the acceptance of input number `needs_input` to the transfer of output number `output`."""
        return self.output_cycles[output] - self.input_cycles[name][needs_input]


def drive(
    component: wiring.Component,
    inputs: Sequence[int] | Mapping[str, Sequence[int]],
    *,
    n_outputs: int,
    stalls: Stalls | None = None,
    ready_after_valid: bool = False,
    reset_after: int | None = None,
    idle_limit: int = 200,
    settle_cycles: int = 16,
) -> Run:
    """Feed all `inputs` and collect `n_outputs` outputs.

    Parameters
    ----------
    component : Component - the stage; its output stream is called ``o``
    inputs : list of payloads for the stream ``i``, or one list for each named input stream
    n_outputs : int - outputs to wait for; the run goes on until all inputs are accepted too
    stalls : Stalls - None: inputs always offered, output always ready
    ready_after_valid : bool - raise `ready` only in cycles after `valid` was seen, as a cautious consumer may
    reset_after : int - first feed that many inputs of each stream, reset the stage for one cycle, drop every output so far, and
        then feed all inputs from the start
    idle_limit : int - cycles without any transfer after which the stage counts as stuck
    settle_cycles : int - cycles after the last transfer in which nothing more may come

    Raises StreamError, with the cycle.
    """
    streams = {"i": inputs} if not isinstance(inputs, Mapping) else inputs
    reset = Signal()
    top = Module()
    top.submodules.dut = ResetInserter(reset)(component)
    run = Run()

    async def bench(ctx: Any) -> None:
        if reset_after is not None:
            partial = {name: items[:reset_after] for name, items in streams.items()}
            bus = _Bus(component, partial, stalls, ready_after_valid, Run())
            await bus.feed(ctx, n_outputs=0, idle_limit=idle_limit)
            bus.release(ctx)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
        bus = _Bus(component, streams, stalls, ready_after_valid, run)
        await bus.feed(ctx, n_outputs=n_outputs, idle_limit=idle_limit)
        await bus.settle(ctx, settle_cycles)

    _simulate(top, bench)
    return run


def capacity(component: wiring.Component, inputs: Sequence[int], *, idle_limit: int = 50) -> int:
    """How many of `inputs` the stage accepts on ``i`` while its output is never taken."""
    accepted = 0

    async def bench(ctx: Any) -> None:
        nonlocal accepted
        idle = 0
        while idle < idle_limit and accepted < len(inputs):
            ctx.set(component.i.valid, 1)
            ctx.set(Value.cast(component.i.payload), inputs[accepted])
            *_, ready = await ctx.tick().sample(component.i.ready)
            accepted, idle = (accepted + 1, 0) if ready else (accepted, idle + 1)

    top = Module()
    top.submodules.dut = component
    _simulate(top, bench)
    return accepted


class _Bus:
    """The streams of one stage during one run, and the contract."""

    def __init__(
        self,
        component: Any,
        streams: Mapping[str, Sequence[int]],
        stalls: Stalls | None,
        ready_after_valid: bool,
        run: Run,
    ) -> None:
        self.o = component.o
        self.ports = {name: getattr(component, name) for name in streams}
        self.streams = streams
        self.ready_after_valid = ready_after_valid
        self.probe = stalls is not None
        self.run = run
        run.input_cycles.update({name: [] for name in streams})
        pattern = (stalls or Stalls(seed=0, names=())).pattern
        self.o_go = pattern("o")
        self.i_go = {name: pattern(name) for name in streams}
        self.offered: dict[str, bool] = dict.fromkeys(streams, False)
        self.pending: int | None = None  # payload offered in the last cycle and not taken
        self.cycle = 0

    async def feed(self, ctx: Any, *, n_outputs: int, idle_limit: int) -> None:
        idle = 0
        run = self.run
        while len(run.outputs) < n_outputs or not self._all_accepted():
            idle = 0 if await self._step(ctx) else idle + 1
            if idle > idle_limit:
                raise StreamError(f"nothing moved for {idle_limit} cycles: {self._where()}")
            if n_outputs and len(run.outputs) > n_outputs:
                raise StreamError(f"more than the {n_outputs} expected outputs: {self._where()}")

    async def settle(self, ctx: Any, cycles: int) -> None:
        expected = len(self.run.outputs)
        for _ in range(cycles):
            await self._step(ctx)
        if len(self.run.outputs) > expected or self.pending is not None:
            raise StreamError(f"more than the {expected} expected outputs: {self._where()}")

    def release(self, ctx: Any) -> None:
        for port in self.ports.values():
            ctx.set(port.valid, 0)
        ctx.set(self.o.ready, 0)

    async def _step(self, ctx: Any) -> bool:
        """One clock cycle; whether anything was transferred."""
        for name, port in self.ports.items():
            n_accepted = len(self.run.input_cycles[name])
            left = n_accepted < len(self.streams[name])
            go = next(self.i_go[name])
            self.offered[name] = left and (self.offered[name] or go)
            ctx.set(port.valid, self.offered[name])
            if self.offered[name]:
                ctx.set(Value.cast(port.payload), self.streams[name][n_accepted])
        ready = next(self.o_go) and (self.pending is not None or not self.ready_after_valid)
        if self.probe:
            ctx.set(self.o.ready, not ready)
            valid_before = ctx.get(self.o.valid)
        ctx.set(self.o.ready, ready)
        if self.probe and ctx.get(self.o.valid) != valid_before:
            raise StreamError(f"o.valid depends on o.ready: {self._where()}")

        ports = list(self.ports.items())
        sampled = await ctx.tick().sample(
            self.o.valid, Value.cast(self.o.payload), *(port.ready for _, port in ports)
        )
        valid, payload, *i_ready = sampled[2:]
        moved = False
        for (name, _), accepted in zip(ports, i_ready, strict=True):
            if self.offered[name] and accepted:
                self.run.input_cycles[name].append(self.cycle)
                self.offered[name] = False
                moved = True
        self._check_held(valid, payload)
        self.pending = payload if valid and not ready else None
        if valid and ready:
            self.run.outputs.append(payload)
            self.run.output_cycles.append(self.cycle)
            moved = True
        self.cycle += 1
        return moved

    def _check_held(self, valid: int, payload: int) -> None:
        if self.pending is None:
            return
        if not valid:
            raise StreamError(f"an offered output was withdrawn: {self._where()}")
        if payload != self.pending:
            raise StreamError(
                f"an offered payload changed from {self.pending} to {payload}: {self._where()}"
            )

    def _all_accepted(self) -> bool:
        return all(
            len(self.run.input_cycles[name]) == len(items) for name, items in self.streams.items()
        )

    def _where(self) -> str:
        accepted = ", ".join(
            f"{len(self.run.input_cycles[name])} of {len(items)} accepted on {name}"
            for name, items in self.streams.items()
        )
        return f"cycle {self.cycle}, {accepted}, {len(self.run.outputs)} outputs taken"


def _simulate(top: Module, bench: Any) -> None:
    top.domains.sync = ClockDomain()  # a wire has none of its own
    simulator = Simulator(Fragment.get(top, None))
    simulator.add_clock(PERIOD_S)
    simulator.add_testbench(bench)
    simulator.run()
