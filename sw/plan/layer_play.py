"""How the stages of a matrix-vector layer move, cycle by cycle: windows and products. What a stage is here: `stage_play`."""

from __future__ import annotations

from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.parallel_window import ParallelWindowConfig
from ...hw.sliding_window import SlidingWindowConfig
from .stage_play import Channel, Moving, fifo


class SlidingMoving(Moving):
    """Windows tap by tap from a ring of rows (`hw.sliding_window`)."""

    __slots__ = (
        "asked",
        "beyond",
        "free",
        "freed",
        "is_read",
        "is_short",
        "out_row",
        "read_cycles",
        "row_words",
        "tap",
        "word",
    )

    def __init__(self, i: Channel, o: Channel, config: SlidingWindowConfig) -> None:
        super().__init__(i, o)
        schedule = config.schedule
        self.row_words, self.read_cycles = config.row_words, schedule.read_cycles
        self.freed, self.asked = schedule.freed, schedule.asked
        # Rows that may be loaded, and those that are loaded beyond what the output row at hand needs.
        self.free, self.beyond = config.n_rows, -schedule.needed[0]
        self.word = self.tap = self.out_row = 0
        self.is_read = self.is_short = False

    def cycle(self) -> None:
        i, o = self.i, self.o
        i.ready = self.free > 0
        is_complete = self.beyond >= 0
        if i.valid and i.ready:
            self.word += 1
            if self.word == self.row_words:
                self.word = 0
                self.free -= 1
                self.beyond += 1
        if o.valid and not o.ready:
            return
        o.valid, self.is_read = (is_complete if self.is_short else self.is_read), is_complete
        if is_complete:
            self.tap += 1
            if self.tap == self.read_cycles:
                self.tap = 0
                self.free += self.freed[self.out_row]
                self.beyond -= self.asked[self.out_row]
                self.out_row = (self.out_row + 1) % len(self.freed)

    def hold_least(self) -> None:
        self.is_short = True

    def state(self) -> tuple[int, ...]:
        return (self.word, self.tap, self.out_row, self.free, self.beyond, self.is_read)


class ParallelMoving(Moving):
    """Whole windows; a writer and a reader that follow each other (`hw.parallel_window_schedule`).

    Pixels and steps are counted from the first frame on. A pixel takes the place of another one once that has been read, in a step two cycles
    before or earlier; a step reads what has been written two cycles before or earlier.
    """

    __slots__ = (
        "completes",
        "is_direct",
        "is_held",
        "is_read",
        "n_read",
        "n_written",
        "pixels",
        "places",
        "read_before",
        "reads_late",
        "steps",
        "wants",
        "written_before",
    )

    def __init__(self, i: Channel, o: Channel, config: ParallelWindowConfig) -> None:
        super().__init__(i, o)
        schedule, width = config.schedule, config.width
        columns, last = schedule.columns, schedule.last_column
        per_row = len(columns)
        # Of a frame: steps that must be behind before each pixel is written, relative to the frame's first one, and pixels before each step.
        self.places = []
        for row in range(config.height):
            before = (schedule.first_user(row) - 1) * per_row
            is_dropped = schedule.is_dropped(row)
            for column in range(width):
                seen = sum(c <= column for c in columns)
                is_kept = not is_dropped and column <= last
                self.places.append(before + seen if is_kept else None)
        self.wants = [
            schedule.lowest_row(out_row) * width
            + (last if schedule.waits_for_row else min(column, last))
            + 1
            for out_row in range(config.out_height)
            for column in columns
        ]
        ends = range(schedule.first_columns - 1, per_row, schedule.next_columns)
        self.completes = [k in ends for k in range(per_row)]
        self.pixels, self.steps = len(self.places), len(self.wants)
        self.reads_late = config.read_latency == 1
        self.is_direct = config.back_pressure == "direct"
        self.n_written = self.written_before = self.n_read = self.read_before = 0
        self.is_held = self.is_read = False

    def cycle(self) -> None:
        i, o = self.i, self.o
        n_written, n_read = self.n_written, self.n_read
        frame, at = divmod(n_written, self.pixels)
        place = self.places[at]
        may_write = place is None or place + frame * self.steps <= self.read_before
        frame, at = divmod(n_read, self.steps)
        may_read = self.wants[at] + frame * self.pixels <= self.written_before
        self.written_before, self.read_before = n_written, n_read

        is_free = not o.valid or (o.ready and self.is_direct)
        if self.reads_late:
            shifts = self.is_read and is_free
            step = n_read - 1  # under way
            if not self.is_read or is_free:
                self.n_read = n_read + may_read
                self.is_read = may_read
        else:
            shifts, step = may_read and is_free, n_read
            self.n_read = n_read + shifts
        completes = shifts and self.completes[step % len(self.completes)]
        o.valid = completes or (o.valid and not o.ready)

        i.ready = not self.is_held or may_write
        self.n_written = n_written + (self.is_held and may_write)
        if i.ready:
            self.is_held = i.valid

    def state(self) -> tuple[int, ...]:
        written, read = divmod(self.n_written, self.pixels), divmod(self.n_read, self.steps)
        return (
            written[0] - read[0],
            written[1],
            read[1],
            self.n_written - self.written_before,
            self.n_read - self.read_before,
            self.is_held,
            self.is_read,
        )


class ProductMoving(Moving):
    """The array with the buffer of its vectors (`hw.matrix_vector`, `hw.replay`)."""

    __slots__ = (
        "beat",
        "bits",
        "codes_word",
        "credits",
        "due",
        "early",
        "gives_back",
        "is_coded",
        "is_first",
        "kind",
        "last",
        "looks_ahead",
        "n_beats",
        "n_uses",
        "n_vectors",
        "offer_latency",
        "offered",
        "queue",
        "results",
        "use",
        "waits",
        "word",
    )

    def __init__(self, i: Channel, o: Channel, config: MatrixVectorLayerConfig) -> None:
        super().__init__(i, o)
        unit, replay = config.unit, config.replay
        self.n_beats, self.n_uses = unit.transfers_per_vector, unit.uses
        self.beat = self.use = 0
        # Results under way: bit k is a row whose last beat was taken k + 1 enabled cycles ago.
        self.bits, self.last = 0, unit.result_cycles - 1
        self.results = Channel()
        self.queue: list[Moving] = []
        if unit.queue.depth:
            self.queue = fifo(self.results, o, unit.queue)
        else:
            self.results = o
        self.looks_ahead, self.waits = unit.looks_ahead, False
        self.credits = unit.queue.depth if unit.back_pressure == "credit" else -1
        self.gives_back = False  # a result has left in the cycle before
        # The buffer: vectors in it, a word of the next one, or whether the one in the register is in use.
        self.kind = "buffer" if replay.is_buffered else "register" if self.n_uses > 1 else "wire"
        self.codes_word = replay.fill_cycles > 1
        self.n_vectors = self.word = 0
        self.is_coded, self.is_first = False, True
        self.early, self.due = replay.early_cycles - replay.offer_latency, False
        # A vector in the register may be used one cycle after its offer only.
        self.offer_latency, self.offered = replay.offer_latency, False

    def cycle(self) -> None:
        o, results = self.o, self.results
        given_back, self.gives_back = self.gives_back, o.valid and o.ready
        is_done = bool(self.bits >> self.last & 1)
        moves = not self.waits if self.looks_ahead else True
        results.valid = is_done and moves
        if self.looks_ahead:
            is_next = is_done if self.waits else bool(self.bits >> (self.last - 1) & 1)
            self.waits = is_next and o.valid and not o.ready
        for part in self.queue:
            part.cycle()
        if not self.looks_ahead and self.credits < 0:
            moves = not is_done or results.ready

        ends_row = self.beat == self.n_beats - 1
        takes = moves and self._is_there() and not (ends_row and self.credits == 0)
        ends_vector = ends_row and self.use == self.n_uses - 1
        if moves:
            self.bits = (self.bits << 1 | (takes and ends_row)) & ((2 << self.last) - 1)
        if self.credits >= 0:
            self.credits += given_back - (takes and ends_row)
        if takes:
            self.beat = 0 if ends_row else self.beat + 1
            if ends_row:
                self.use = 0 if ends_vector else self.use + 1
        self._fill(takes, ends_vector, moves)

    def _is_there(self) -> bool:
        """Whether a beat can be taken."""
        if self.kind == "buffer":
            return self.n_vectors > 0
        is_offered = self.offered if self.offer_latency else self.i.valid
        return is_offered or (self.kind == "register" and not self.is_first)

    def _fill(self, takes: bool, ends_vector: bool, moves: bool) -> None:
        """What the buffer takes, and what leaves it."""
        i = self.i
        if self.kind == "wire":
            i.ready = takes
        elif self.kind == "register":
            is_due = takes and self.is_first
            if self.early:
                i.ready = moves and self.due
                if moves:
                    self.due = is_due
            else:
                i.ready = is_due
            if takes:
                self.is_first = ends_vector
            self.offered = bool(self.offer_latency and i.valid and not i.ready)
        else:
            i.ready = self.n_vectors < 2 and not self.is_coded
            comes = i.valid and i.ready
            is_whole = comes and self.word == self.n_beats - 1
            self.word = (self.word + comes) % self.n_beats
            if self.codes_word:
                is_whole, self.is_coded = self.is_coded, is_whole
            self.n_vectors += is_whole - (takes and ends_vector)

    def hold_least(self) -> None:
        self.last, self.looks_ahead = 0, False

    def state(self) -> tuple[int, ...]:
        parts = tuple(number for part in self.queue for number in part.state())
        return (
            self.beat,
            self.use,
            self.bits,
            self.waits,
            self.credits,
            self.gives_back,
            self.n_vectors,
            self.word,
            self.is_coded,
            self.is_first,
            self.due,
            self.offered,
            self.results.valid,
            *parts,
        )
