"""Sums that grow by one element at a time, many of them in turn: what average pools are made of.

Three registered steps, which all move together whenever the output is free or being taken: the sum so far is read; it waits in a register, for a
block RAM is slow; the input is added, and the new sum is written back and stands in the output register. A sum that is needed again after one or two
inputs cannot have been read by then: it is one of the last two results.
"""

from __future__ import annotations

from typing import Any

from amaranth import *
from amaranth.lib.memory import Memory

from .registers import registers
from .square_pool import RAM_STYLES

STEP_CYCLES = 3
"""Cycles from the acceptance of an input to the offer of the sum that it completes."""
MOST_RECENT = STEP_CYCLES - 1
"""Inputs after which a sum cannot be read back yet."""


def running_sums(
    m: Module, stage: Any, *, is_kept: Value, word: Value, is_first: Value, is_last: Value, recent: int, is_recent: Value
) -> None:  # fmt: skip
    """Adds to `m` all from the stream `i` to the stream `o` of `stage` but for ``i.ready``, which says that everything moves.

    Parameters
    ----------
    stage : Component - being elaborated; its config states `lanes`, `element_bits`, `output_bits`, `signed`, `memory` and `memory_shape`, the
        depth of which is 0 where all sums are recent
    is_kept : Value - an input is accepted and belongs to a sum
    word : Value - which sum
    is_first, is_last : Value - it starts the sum, it completes it
    recent : int - inputs after which a sum is needed again while `is_recent`, 1 or 2; 0: never
    is_recent : Value - the sum was the one of `recent` inputs ago; otherwise of more than two, or it is started
    """
    config, enable = stage.config, stage.i.ready
    depth, width = config.memory_shape
    kept = [Signal(name=f"kept_{step}") for step in range(2)]
    with m.If(enable):
        m.d.sync += [kept[0].eq(is_kept), kept[1].eq(kept[0])]
    asked = registers(
        m, enable, "asked", [stage.i.payload, word, is_first, is_last, is_recent & ~is_first]
    )
    element, at, _, completes, takes_result = registers(m, enable, "found", asked)

    results = [Signal(width, name=f"result_{k}", reset_less=True) for k in range(max(1, recent))]
    newest, found = Signal(width), Signal(width, reset_less=True)
    so_far = Mux(takes_result, results[-1], found) if recent else found
    m.d.comb += [newest.eq(_add(config, element, so_far)), stage.o.payload.eq(results[0])]
    with m.If(enable & kept[1]):
        m.d.sync += [old.eq(new) for old, new in zip(results, [newest, *results], strict=False)]
    with m.If(enable):
        m.d.sync += stage.o.valid.eq(kept[1] & completes)
    if not depth:
        return

    # The word that is written while another one is read is never the same: a sum is read after three inputs at the earliest.
    m.submodules.sums = memory = Memory(
        shape=unsigned(width),
        depth=depth,
        init=[],
        attrs={"ram_style": RAM_STYLES[config.memory], "no_rw_check": 1},
    )
    write, read = memory.write_port(), memory.read_port()
    m.d.comb += [
        write.en.eq(kept[1]),
        write.addr.eq(at),
        write.data.eq(newest),
        read.en.eq(enable),
        read.addr.eq(word),
    ]
    with m.If(enable):
        m.d.sync += found.eq(Mux(asked[2], 0, read.data))


def _add(config: Any, elements: Value, sums: Value) -> Value:
    """Lane by lane."""
    lanes = []
    for lane in range(config.lanes):
        new = elements.word_select(lane, config.element_bits)
        old = sums.word_select(lane, config.output_bits)
        total = new.as_signed() + old.as_signed() if config.signed else new + old
        lanes.append(total[: config.output_bits])
    return Cat(*lanes)
