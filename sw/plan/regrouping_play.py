"""How stages move, cycle by cycle, that make fewer or more transfers than they take. What a stage is here: `stage_play`."""

from __future__ import annotations

from collections.abc import Sequence

from ...hw.avg_pool import AvgPoolConfig
from ...hw.bit_planes import BitPlanesConfig
from ...hw.concat_channels import ConcatChannelsConfig
from ...hw.global_avg_pool import GlobalAvgPoolConfig
from ...hw.max_pool import MaxPoolConfig
from ...hw.width_converter import WidthConverterConfig
from .stage_play import Channel, Moving, fifo


class Widening(Moving):
    """Transfers that become a word; a frame's last one is filled up."""

    __slots__ = ("fills", "last_input", "n_inputs", "n_pieces", "piece")

    def __init__(self, i: Channel, o: Channel, config: WidthConverterConfig) -> None:
        super().__init__(i, o)
        self.n_pieces, self.piece = config.pieces_per_word, 0
        has_rest = config.inputs_per_frame % config.pieces_per_word > 0
        self.last_input = config.inputs_per_frame - 1 if has_rest else -1
        self.n_inputs, self.fills = 0, False

    def cycle(self) -> None:
        i, o = self.i, self.o
        is_free = not o.valid or o.ready
        i.ready = is_free and not self.fills
        if not is_free:
            return
        o.valid = False
        if not (i.valid or self.fills):
            return
        o.valid = self.piece == self.n_pieces - 1
        self.piece = 0 if o.valid else self.piece + 1
        if self.fills:
            self.fills = not o.valid
        elif self.last_input >= 0:
            self.fills = self.n_inputs == self.last_input
            self.n_inputs = 0 if self.fills else self.n_inputs + 1

    def state(self) -> tuple[int, ...]:
        return (self.piece, self.n_inputs, self.fills)


class Narrowing(Moving):
    """Words that become transfers; a frame's last one may become fewer."""

    __slots__ = ("chunk", "n_chunks", "n_words", "word")

    def __init__(self, i: Channel, o: Channel, config: WidthConverterConfig) -> None:
        super().__init__(i, o)
        self.n_words = config.words_per_frame
        self.n_chunks = [config.chunks_per_word] * (self.n_words - 1) + [config.last_chunks]
        self.chunk = self.word = 0

    def cycle(self) -> None:
        i, o = self.i, self.o
        ends = self.chunk == self.n_chunks[self.word] - 1
        i.ready = not o.valid or (ends and o.ready)
        if o.valid and o.ready:
            self.chunk += 1
            if ends:
                self.chunk, o.valid = 0, False
                self.word = (self.word + 1) % self.n_words
        if i.ready:
            o.valid = i.valid

    def state(self) -> tuple[int, ...]:
        return (self.chunk, self.word)


def converter(i: Channel, o: Channel, config: WidthConverterConfig) -> list[Moving]:
    """A width converter that is no wire."""
    if config.pieces_per_word == 1:
        return [Narrowing(i, o, config)]
    relayed = Channel() if config.relay.depth else i
    word = Channel() if config.chunks_per_word > 1 else o
    made: list[Moving] = fifo(i, relayed, config.relay) if config.relay.depth else []
    made.append(Widening(relayed, word, config))
    return made + ([Narrowing(word, o, config)] if config.chunks_per_word > 1 else [])


class Repeating(Moving):
    """Each transfer is followed by others of the same: bit planes."""

    __slots__ = ("n_planes", "plane")

    def __init__(self, i: Channel, o: Channel, config: BitPlanesConfig) -> None:
        super().__init__(i, o)
        self.n_planes, self.plane = config.element_bits, 0

    def cycle(self) -> None:
        i, o = self.i, self.o
        ends = self.plane == self.n_planes - 1
        i.ready = not o.valid or (ends and o.ready)
        if o.valid and o.ready:
            self.plane = 0 if ends else self.plane + 1
        if i.ready:
            o.valid = i.valid

    def state(self) -> tuple[int, ...]:
        return (self.plane,)


class Folding(Moving):
    """Some transfers of a frame complete a result: pools. What is under way moves together."""

    __slots__ = ("at", "completes", "steps", "under_way")

    def __init__(self, i: Channel, o: Channel, completes: Sequence[bool], delay: int) -> None:
        super().__init__(i, o)
        self.completes, self.at = completes, 0
        self.steps, self.under_way = delay - 1, 0

    def cycle(self) -> None:
        i, o = self.i, self.o
        i.ready = not o.valid or o.ready
        if not i.ready:
            return
        completes = False
        if i.valid:
            completes = self.completes[self.at]
            self.at = (self.at + 1) % len(self.completes)
        moved = self.under_way | completes << self.steps
        o.valid = bool(moved & 1)
        self.under_way = moved >> 1

    def hold_least(self) -> None:
        self.steps = 0

    def state(self) -> tuple[int, ...]:
        return (self.at, self.under_way)


def pool(i: Channel, o: Channel, config: MaxPoolConfig | AvgPoolConfig) -> Folding:
    """Squares of pixels."""
    size = config.size
    completes = [
        y % size == size - 1
        and x % size == size - 1
        and y < config.out_height * size
        and x < config.out_width * size
        for y in range(config.height)
        for x in range(config.width)
        for _ in range(config.groups)
    ]
    return Folding(i, o, completes, config.output_delay_cycles)


def global_pool(i: Channel, o: Channel, config: GlobalAvgPoolConfig) -> Folding:
    """All pixels."""
    before = [False] * (config.inputs_per_frame - config.groups)
    return Folding(i, o, before + [True] * config.groups, config.output_delay_cycles)


class Copying(Moving):
    """Two pixels of which each leaves several times, for the first time while it comes."""

    __slots__ = ("copies", "copy", "free", "group", "groups", "new")

    def __init__(self, i: Channel, o: Channel, config: ConcatChannelsConfig) -> None:
        super().__init__(i, o)
        self.groups, self.copies = config.groups, config.copies
        self.group = self.copy = self.new = 0
        self.free = 2 * config.groups

    def cycle(self) -> None:
        i, o = self.i, self.o
        i.ready = self.free > 0
        gets = (self.new > 0 or self.copy > 0) and (not o.valid or o.ready)
        if i.valid and i.ready:
            self.free -= 1
            self.new += 1
        if gets:
            self.new -= self.copy == 0
            self.free += self.copy == self.copies - 1
            self.group += 1
            if self.group == self.groups:
                self.group, self.copy = 0, (self.copy + 1) % self.copies
        o.valid = gets or (o.valid and not o.ready)

    def state(self) -> tuple[int, ...]:
        return (self.new, self.free, self.group, self.copy)
