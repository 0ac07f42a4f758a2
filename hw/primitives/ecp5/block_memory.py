"""Block RAM of the ECP5: DP16KD, one port for writing and one for reading."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import wiring

from ..block_memory_config import BlockMemoryConfig

ADDRESS_BITS = 14
"""Address of one bit; a word of 2, 4, 9, 18 or 36 bits leaves out the lowest 1, 2, 3, 4 or 5."""

HALF_BITS = 18
"""Data bits of one port; words of 36 bits use the pins of both."""

WORD_BITS = {1: 0, 2: 1, 4: 2, 9: 3, 18: 4, 36: 5}
"""Widths of a DP16KD, each with the address bits that it leaves out."""

_INIT_HALVES, _INIT_STRIDE, _N_INITS = 16, 20, 64


def block_width(depth: int) -> int:
    """Width of the widest DP16KD that has `depth` words."""
    return max(bits for bits, unused in WORD_BITS.items() if depth <= 1 << ADDRESS_BITS - unused)


def initial_values(words: Sequence[int], width: int) -> dict[str, Const]:
    """Parameters of a DP16KD that is `width` bits wide and starts with `words`.

    The RAM is 1024 halves of 18 bits, 16 of them to a parameter with 20 bits for each. Two bytes of 9 bits make a half and two
    halves a word of 36, lowest first; words of 1, 2 and 4 bits fill the lower 8 bits of a byte.
    """
    halves = [0] * (_N_INITS * _INIT_HALVES)
    if width >= HALF_BITS:
        per_word = width // HALF_BITS
        for index, word in enumerate(words):
            for part in range(per_word):
                halves[index * per_word + part] = word >> part * HALF_BITS & (1 << HALF_BITS) - 1
    else:
        per_byte = max(8 // width, 1)
        for index, word in enumerate(words):
            byte, place = divmod(index, per_byte)
            halves[byte // 2] |= word << byte % 2 * 9 + place * width
    return {
        f"INITVAL_{n:02X}": Const(
            sum(
                half << place * _INIT_STRIDE
                for place, half in enumerate(halves[n * _INIT_HALVES : (n + 1) * _INIT_HALVES])
            ),
            _INIT_HALVES * _INIT_STRIDE,
        )
        for n in range(_N_INITS)
    }


class Ecp5BlockMemory(wiring.Component):
    """See `block_memory`. The second cycle of latency is the RAM's own output register, which takes 1 ns to the pin instead of 6.

    As many DP16KD beside each other as the width asks for, each as wide as the depth allows; none above each other.
    Storage is ``ceil(width / block_width(depth))`` DP16KD and no LUT.
    """

    def __init__(self, config: BlockMemoryConfig) -> None:
        self.config = config
        super().__init__(config.members)

    @property
    def n_blocks(self) -> int:
        return -(-self.config.width // block_width(self.config.depth))

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        width = block_width(config.depth)
        for block in range(self.n_blocks):
            low, high = block * width, min((block + 1) * width, config.width)
            words = [word >> low & (1 << high - low) - 1 for word in config.contents]
            data = Signal(width, name=f"data{block}")
            m.d.comb += self.read.data[low:high].eq(data)
            write_data = self.write.data[low:high] if config.writable else None
            m.submodules[f"block{block}"] = self._block(words, width, data, write_data)
        return m

    def _block(
        self, words: Sequence[int], width: int, data: Signal, write_data: Value | None
    ) -> Instance:
        """One DP16KD that writes through port A and reads through port B; of 36 bits, port A has the lower half."""
        unused = WORD_BITS[width]
        output_enable = self.output_enable if self.config.output_enable else self.read.enable
        ports = {
            "CLKA": ClockSignal(),
            "CEA": Const(1),
            "WEA": Const(0),
            "CLKB": ClockSignal(),
            "CEB": self.read.enable,
            "WEB": Const(0),
            # The lower half of a wide word leaves through port A: both output registers move with the reader.
            "OCEA": output_enable,
            "OCEB": output_enable,
            "RSTA": Const(0),
            "RSTB": Const(0),
        }
        # Pins that nothing drives would be 1.
        ports |= {f"CS{port}{bit}": Const(0) for port in "AB" for bit in range(3)}
        ports |= {f"AD{port}{bit}": Const(0) for port in "AB" for bit in range(ADDRESS_BITS)}
        ports |= {f"DI{port}{bit}": Const(0) for port in "AB" for bit in range(HALF_BITS)}
        ports |= _pins("ADB", self.read.address, unused)
        if write_data is not None:
            ports |= {"WEA": self.write.enable}
            # From 18 bits on the lowest address pins enable the bytes.
            ports |= {f"ADA{byte}": Const(1) for byte in range(width // 9 if width >= 18 else 0)}
            ports |= _pins("ADA", self.write.address, unused)
            ports |= _pins("DIA", write_data[:HALF_BITS]) | _pins("DIB", write_data[HALF_BITS:])
        wide = width > HALF_BITS
        outputs = _pins("DOA", data[:HALF_BITS]) | _pins("DOB", data[HALF_BITS:])
        register = "OUTREG" if self.config.read_latency == 2 else "NOREG"
        parameters: dict[str, object] = {
            "DATA_WIDTH_A": width,
            "DATA_WIDTH_B": width,
            "REGMODE_A": register,
            "REGMODE_B": register,
            "RESETMODE": "SYNC",
            "ASYNC_RESET_RELEASE": "SYNC",
            "CSDECODE_A": "0b000",
            "CSDECODE_B": "0b000",
            "WRITEMODE_A": "NORMAL",
            "WRITEMODE_B": "NORMAL",
            "GSR": "DISABLED",
            **initial_values(words, width),
        }
        return Instance(
            "DP16KD",
            **{f"p_{name}": value for name, value in parameters.items()},
            **{f"i_{name}": value for name, value in ports.items()},
            **{
                f"o_{name}": value
                for name, value in (outputs if wide else _pins("DOB", data)).items()
            },
        )


def _pins(name: str, value: Value, first: int = 0) -> dict[str, Value]:
    """The bits of `value` on pins of that name, from number `first` on."""
    return {f"{name}{first + bit}": value[bit] for bit in range(len(value))}
