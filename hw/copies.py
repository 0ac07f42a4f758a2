"""A register of one bit that hundreds read, held several times, so that each copy can be near its readers."""

from amaranth import *

from .registers import registers

MOST_READERS = 32
"""Readers of a copy."""


def n_copies(n_readers: int, form: str) -> int:
    """How many of them a register with so many readers gets: one for each `MOST_READERS` in the form "ecp5"; the other devices are small."""
    return max(1, -(-n_readers // MOST_READERS)) if form == "ecp5" else 1


def copies(
    m: Module, enable: Value, name: str, value: Value, n_readers: int, form: str
) -> list[Value]:
    """Adds to `m` a register that `n_readers` read; answers its copies, `n_copies` of them: `value` one enabled cycle before.

    Synthesis merges registers that hold the same, so copies are cells of the device. They start at 0 and have no reset.
    """
    count = n_copies(n_readers, form)
    if count == 1:
        return registers(m, enable, name, [value])
    held = [Signal(name=f"{name}_{k}") for k in range(count)]
    for k, copy in enumerate(held):
        m.submodules[f"{name}_copy{k}"] = Instance(
            "TRELLIS_FF",
            p_GSR="ENABLED",  # as synthesis makes them, so that they share slices with others
            p_CEMUX="CE",
            p_CLKMUX="CLK",
            p_LSRMUX="LSR",
            p_REGSET="RESET",
            i_CLK=ClockSignal(),
            i_CE=enable,
            i_LSR=C(0, 1),
            i_DI=value,
            o_Q=copy,
        )
    return list(held)


def nearest(held: list[Value], index: int, n_readers: int) -> Value:
    """The copy for reader `index` of `n_readers`: neighbours share one."""
    return held[index * len(held) // n_readers]
