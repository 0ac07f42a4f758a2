"""What windows, pools, regrouping and forks cost: stages that move elements without scaling them."""

from __future__ import annotations

from ...hw.avg_pool import AvgPoolConfig
from ...hw.bit_planes import BitPlanesConfig
from ...hw.fork import ForkConfig
from ...hw.global_avg_pool import GlobalAvgPoolConfig
from ...hw.max_pool import MaxPoolConfig
from ...hw.pair_sums import PairSumsConfig
from ...hw.parallel_window import ParallelWindowConfig
from ...hw.running_sums import MOST_RECENT
from ...hw.sliding_window import SlidingWindowConfig
from ...hw.width_converter import WidthConverterConfig
from .memory_costs import (
    SMALL_ADDER_BITS,
    adder_luts,
    comparison_luts,
    counter,
    fifo_terms,
    memory_terms,
)
from .terms import Terms


def sliding_window_terms(config: SlidingWindowConfig, family: str) -> Terms:
    """A line buffer, what walks through it, and what counts its rows. Padding is a reset of the output's register."""
    depth, width = config.memory_shape
    terms = memory_terms(config.memory, width, depth, family)
    padded = config.padding
    columns = (config.out_width - 1) * config.stride - padded + config.kernel_width
    rows = (config.out_height - 1) * config.stride - padded + config.kernel_height
    # Positions that step by one of several constants, two of which take an adder each.
    for end, size, lead, windows in (
        (columns * config.groups, config.row_words, padded * config.groups, config.out_width),
        (rows, config.height, padded, config.out_height),
    ):
        bits = max(lead + size - 1, end - 1, 1).bit_length()
        adders = 1 + (windows > 1)
        terms.lut("sliding.walk", adders * adder_luts(bits, family) + 1.5 * bits)
        terms.lut("sliding.ends", 3 * comparison_luts(bits)).flip_flops("sliding.walk", bits + 1)
    slot, count = (config.n_rows - 1).bit_length(), (config.n_rows + 1).bit_length()
    terms.lut("sliding.base", 10).lut("sliding.rows", 4 * slot + 4 * count)
    terms.flip_flops("sliding.base", width + 6).flip_flops("sliding.rows", 2 * slot + 2 * count)
    for length in (config.row_words, config.kernel_width * config.groups, config.kernel_height):
        terms.add(counter(length, family))
    return terms


def parallel_window_terms(config: ParallelWindowConfig, family: str) -> Terms:
    """A memory for each kernel row, two walks, and all taps in registers, whose padding is a reset."""
    depth, width = config.memory_shape
    rows, taps, schedule = config.kernel_height, config.output_width, config.schedule
    terms = Terms().add(memory_terms(config.memory, width, depth, family), rows)
    reach = schedule.reach(0)
    both = sum(config.stride <= row <= reach for row in range(rows))
    terms.lut("parallel.moved", both * width).lut("parallel.base", 30)
    terms.flip_flops("parallel.taps", taps + width)
    column, row = (config.width - 1).bit_length(), (config.height - 1).bit_length()
    terms.lut(
        "parallel.walk",
        3 * adder_luts(column, family) + adder_luts(row, family) + 2 * (column + row),
    )
    terms.flip_flops("parallel.walk", 6 * column + 3 * row + 20)
    terms.flip_flops("parallel.write", config.write_latency * rows * (width + column + 1))
    return terms.lut("parallel.write", rows * (column + 2))


def max_pool_terms(config: MaxPoolConfig, family: str) -> Terms:
    """A row of partial results, and an OR for each bit."""
    depth, width = config.memory_shape
    terms = memory_terms(config.memory, width, depth, family).add(_square_walk(config, family))
    per_bit = 1 + (config.groups == 1) if config.element_bits == 1 else 2
    compared = config.lanes * adder_luts(config.element_bits, family) * (config.element_bits > 1)
    return terms.lut("max_pool", width * per_bit + compared).flip_flops("max_pool", width + 1)


def avg_pool_terms(config: AvgPoolConfig, family: str) -> Terms:
    """A row of sums, an adder for each lane, and what waits beside."""
    recent = config.groups if config.groups <= MOST_RECENT else 0
    return _square_walk(config, family).add(_running_sums(config, recent, config.row_words, family))


def global_avg_pool_terms(config: GlobalAvgPoolConfig, family: str) -> Terms:
    """Sums of all channels, an adder for each lane, and where the frame is."""
    recent = config.groups if config.groups <= MOST_RECENT else 0
    terms = counter(config.groups, family).add(counter(config.pixels, family))
    return terms.add(_running_sums(config, recent, config.groups, family))


def _running_sums(
    config: AvgPoolConfig | GlobalAvgPoolConfig, recent: int, words: int, family: str
) -> Terms:
    depth, width = config.memory_shape
    terms = memory_terms(config.memory, width, depth, family) if depth else Terms()
    terms.lut("sums.base", 6).flip_flops("sums.base", 10 + 2 * (words - 1).bit_length())
    terms.lut("sums.adders", config.lanes * adder_luts(config.output_bits, family))
    terms.lut("sums.recent", width * (recent > 0))
    return terms.flip_flops(
        "sums.adders", width * max(1, recent) + 2 * config.input_width + width * (depth > 0)
    )


def _square_walk(config: AvgPoolConfig | MaxPoolConfig, family: str) -> Terms:
    """Where an input lies in its square: a word that is stepped by one or back, and counters."""
    words, terms = config.row_words, Terms()
    if words > 1:
        bits = (words - 1).bit_length()
        steps = 1 + (config.groups > 1)
        stepped = steps * adder_luts(bits, family) + steps * bits
        if bits <= SMALL_ADDER_BITS[family]:
            stepped = 1.5 * bits
        terms.lut("squares.word", stepped + comparison_luts(bits))
        terms.flip_flops("squares.word", bits)
    rest = config.width % config.size * config.groups
    lengths = [config.groups, config.size, config.size, rest]
    lengths += [config.height] * (config.height % config.size > 0)
    for length in lengths:
        terms.add(counter(length, family))
    return terms.lut("squares.base", 8).flip_flops("squares.base", 3)


def width_converter_terms(config: WidthConverterConfig, family: str) -> Terms:
    """A word that is shifted in, and one that is loaded and shifted out."""
    terms, bits = Terms(), config.element_bits
    word = config.word_lanes * bits
    if config.pieces_per_word > 1:
        terms.add(fifo_terms(config.relay, family)).lut("converter.base", 4)
        terms.add(counter(config.pieces_per_word, family)).flip_flops("converter", word + 1)
        if config.inputs_per_frame % config.pieces_per_word:
            terms.add(counter(config.inputs_per_frame, family))
    if config.chunks_per_word > 1:
        terms.add(counter(config.chunks_per_word, family)).flip_flops("converter", word + 1)
        terms.lut("converter.base", 4).lut("converter.shifted", word - config.output_width)
        if config.last_chunks < config.chunks_per_word:
            terms.add(counter(config.words_per_frame, family))
    return terms


def fork_terms(config: ForkConfig, family: str) -> Terms:
    """What each branch has taken."""
    return Terms().lut("fork", 2 * config.branches + 2).flip_flops("fork", config.branches)


def pair_sums_terms(config: PairSumsConfig, family: str) -> Terms:
    """The sum and the difference of each pair."""
    pairs = config.lanes // 2
    terms = Terms().lut("pair_sums", 2 * pairs * adder_luts(config.element_bits + 1, family) + 2)
    return terms.flip_flops("pair_sums", config.output_width + 1)


def bit_planes_terms(config: BitPlanesConfig, family: str) -> Terms:
    """A shift register for each lane that is loaded at once."""
    shifted = config.lanes * (config.element_bits - 1)
    terms = counter(config.element_bits, family).lut("bit_planes", shifted + 4)
    return terms.flip_flops("bit_planes", config.input_width + 1)
