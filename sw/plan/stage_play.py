"""How each stage of an accelerator moves, cycle by cycle: its handshakes and what it holds, without any data.

A stage is a rule: from `ready` of its outputs and `valid` of its inputs it answers `ready` of its inputs and goes on to the next cycle. These
are the handshakes that the stages' modules in `hw` document; every simulation of the same accelerator shows the same cycles, which
`benchmarks/random_cycles.py` looks at. `play` puts stages together.

Stages are asked from the last one to the first, so that `ready` of an output is known; `valid` comes from registers everywhere but behind forks, which are
asked before.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...hw.argmax import ArgMaxConfig
from ...hw.fifo import FifoConfig


class Channel:
    """The stream between two stages in one cycle."""

    __slots__ = ("ready", "valid")

    def __init__(self) -> None:
        self.valid = self.ready = False


class Moving:
    """A stage at work.

    Members
    -------
    i, o : Channel - where it takes and gives transfers
    """

    __slots__ = ("i", "o")

    def __init__(self, i: Channel, o: Channel) -> None:
        self.i, self.o = i, o

    def cycle(self) -> None:
        """Sets ``i.ready`` of this cycle and ``o.valid`` of the next one."""
        raise NotImplementedError

    def state(self) -> tuple[int, ...]:
        """All that the cycles to come depend on, ``o.valid`` aside."""
        raise NotImplementedError

    def hold_least(self) -> None:
        """From now on it holds as little while it waits as stalls can make it, whatever that does to its latency."""


class Register(Moving):
    """One place; a transfer may come in the cycle in which the one before leaves."""

    __slots__ = ()

    def cycle(self) -> None:
        i, o = self.i, self.o
        i.ready = not o.valid or o.ready
        if i.ready:
            o.valid = i.valid

    def state(self) -> tuple[int, ...]:
        return ()


class Skid(Moving):
    """Two registers: whether it is ready comes from one."""

    __slots__ = ("is_free",)

    def __init__(self, i: Channel, o: Channel) -> None:
        super().__init__(i, o)
        self.is_free = True

    def cycle(self) -> None:
        self.i.ready = self.is_free
        self.move(self.i.valid)

    def move(self, comes: bool) -> None:
        """Moves on; `comes`: something is offered."""
        o, is_free = self.o, self.is_free
        if o.ready or not o.valid:
            o.valid = comes or not is_free
            self.is_free = True
        else:
            self.is_free = is_free and not comes

    def state(self) -> tuple[int, ...]:
        return (self.is_free,)


class Words(Moving):
    """A memory with one register behind it, or with two."""

    __slots__ = ("has_two", "held", "is_read", "most")

    def __init__(self, i: Channel, o: Channel, config: FifoConfig) -> None:
        super().__init__(i, o)
        self.most = config.depth - config.n_registers
        self.has_two = config.n_registers == 2
        self.held, self.is_read = 0, False

    def cycle(self) -> None:
        i, o = self.i, self.o
        held = self.held
        i.ready = held < self.most
        moves = not o.valid or o.ready
        gets = held > 0 and (moves or (self.has_two and not self.is_read))
        if self.has_two:
            if moves:
                o.valid = self.is_read
            self.is_read = gets or (self.is_read and not moves)
        elif moves:
            o.valid = gets
        self.held = held + (i.valid and i.ready) - gets

    def state(self) -> tuple[int, ...]:
        return (self.held, self.is_read)


class Pipeline(Moving):
    """Registers that move together unless a result waits at their end."""

    __slots__ = ("steps", "under_way")

    def __init__(self, i: Channel, o: Channel, cycles: int) -> None:
        super().__init__(i, o)
        self.steps, self.under_way = cycles - 1, 0

    def cycle(self) -> None:
        i, o = self.i, self.o
        i.ready = not o.valid or o.ready
        if i.ready:
            moved = self.under_way | i.valid << self.steps
            o.valid = bool(moved & 1)
            self.under_way = moved >> 1

    def hold_least(self) -> None:
        self.steps = 0

    def state(self) -> tuple[int, ...]:
        return (self.under_way,)


class Joining(Skid):
    """Two streams that meet in front of two registers; `i` is the first of them."""

    __slots__ = ("other",)

    def __init__(self, i: Channel, other: Channel, o: Channel) -> None:
        super().__init__(i, o)
        self.other = other

    def cycle(self) -> None:
        i, other = self.i, self.other
        i.ready, other.ready = self.is_free and other.valid, self.is_free and i.valid
        self.move(i.valid and other.valid)


class Forking(Moving):
    """One stream for several readers, each of whom takes each transfer once; `o` is the first branch."""

    __slots__ = ("branches", "has_taken")

    def __init__(self, i: Channel, branches: Sequence[Channel]) -> None:
        super().__init__(i, branches[0])
        self.branches, self.has_taken = branches, [False] * len(branches)

    def offer(self) -> None:
        """Sets `valid` of the branches in this cycle."""
        is_valid = self.i.valid
        for branch, has_taken in zip(self.branches, self.has_taken, strict=True):
            branch.valid = is_valid and not has_taken

    def cycle(self) -> None:
        i, has_taken = self.i, self.has_taken
        taken = [has or b.ready for has, b in zip(has_taken, self.branches, strict=True)]
        i.ready = all(taken)
        self.has_taken = taken if i.valid and not i.ready else [False] * len(taken)

    def state(self) -> tuple[int, ...]:
        return tuple(self.has_taken)


def fifo(i: Channel, o: Channel, config: FifoConfig) -> list[Moving]:
    """A FIFO of at least one place."""
    match config.depth:
        case 1:
            return [Register(i, o)]
        case 2:
            return [Skid(i, o)]
        case _:
            return [Words(i, o, config)]


def argmax(i: Channel, o: Channel, _config: ArgMaxConfig) -> list[Moving]:
    """A register and two behind it."""
    between = Channel()
    return [Register(i, between), Skid(between, o)]
