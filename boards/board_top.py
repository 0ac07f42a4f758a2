"""The outermost module of a board: pins, PLL, clock domain and power-on reset around a top level with a UART."""

from itertools import pairwise
from typing import Any

from amaranth import ClockDomain, ClockSignal, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.build import Platform
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from .board import Board
from .pll import Ecp5PllSetting, Ice40PllSetting

POWER_ON_US = 20
"""Length of the power-on reset after lock: iCE40 block RAMs read zeros for some 3 us after configuration."""


class PowerOnReset(wiring.Component):
    """Resets until a clock has been locked for a number of cycles, and again when the lock is lost.

    All in clock domain ``power_on``. `reset` falls `cycles` + 3 clock edges after `locked` rises, and rises 4 edges after it
    falls: two are for the synchroniser, one for the register that drives `reset`, and one for loading the counter.

    Parameters
    ----------
    cycles : int - at least 1

    Members
    -------
    locked : In(1) - of any phase
    reset : Out(1) - high after configuration
    """

    locked: In(1)
    reset: Out(1, init=1)

    def __init__(self, cycles: int) -> None:
        if cycles < 1:
            raise ValueError(f"Reset cycles must be at least 1, not {cycles!r}")
        self.cycles = cycles
        super().__init__()

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        stable = Signal()
        m.submodules.synchroniser = FFSynchronizer(self.locked, stable, o_domain="power_on")
        left = Signal(range(self.cycles + 1), init=self.cycles)
        with m.If(~stable):
            m.d.power_on += left.eq(self.cycles)
        with m.Elif(left != 0):
            m.d.power_on += left.eq(left - 1)
        m.d.power_on += self.reset.eq(left != 0)
        return m


class BoardTop(Elaboratable):
    """Runs `top` at `clock_hz` on `board`, its `rx` and `tx` wired to the board's serial port.

    Clock domain ``sync`` comes from the PLL. Its reset is held until the PLL has locked, on an iCE40 for `POWER_ON_US` afterwards,
    and returns if the lock is lost. On an ECP5 it is the device's global set and reset, so that the
    domain itself has none. `rx` goes to `top` as the pin has it: `top` synchronises it.

    Parameters
    ----------
    board : Board - where it runs
    clock_hz : int - clock asked for; `pll.output_hz` is the one that is made
    top : Elaboratable - component with ports ``rx: In(1)`` and ``tx: Out(1)``, idle at 1

    Raises
    ------
    ValueError - the board's PLL cannot make `clock_hz`

    References
    ----------
    Time for which block RAMs read zeros: github.com/YosysHQ/icestorm, issue 76.
    """

    def __init__(self, board: Board, clock_hz: int, top: Elaboratable) -> None:
        self.board = board
        self.pll = board.pll(clock_hz)
        self.top = top

    @property
    def reset_cycles(self) -> int:
        """Cycles of ``sync`` from lock to the end of an iCE40's reset."""
        return int(POWER_ON_US * self.pll.output_hz // 1_000_000)

    def elaborate(self, platform: Platform) -> Module:
        m = Module()

        # nextpnr derives the constraint of the clock from the PLL and the oscillator.
        clock = Signal(name="clock")
        locked = Signal()
        port = platform.request(self.board.oscillator, dir="-")
        if isinstance(self.pll, Ice40PllSetting):
            if self.board.pll_on_pad:
                source = {"i_PACKAGEPIN": port.io}
            else:
                oscillator = Signal(name="oscillator")
                m.submodules.oscillator = Instance(
                    "SB_IO", p_PIN_TYPE=0b000001, io_PACKAGE_PIN=port.io, o_D_IN_0=oscillator
                )
                source = {"i_REFERENCECLK": oscillator}
            m.submodules.pll = _sb_pll40(self.pll, source, clock, locked)
            # The reset generator runs on the same clock, in a domain that has no reset.
            m.domains.power_on = ClockDomain(reset_less=True, local=True)
            m.domains.sync = ClockDomain()
            m.submodules.power_on_reset = power_on = PowerOnReset(self.reset_cycles)
            m.d.comb += [
                ClockSignal("power_on").eq(clock),
                power_on.locked.eq(locked),
                ResetSignal("sync").eq(power_on.reset),
            ]
        else:
            m.submodules.oscillator = oscillator = io.Buffer("i", port)
            m.submodules.pll = _ehxplll(self.pll, oscillator.i, clock, locked)
            m.domains.sync = ClockDomain(reset_less=True)
            m.submodules += _global_set_reset(clock, locked)
        m.d.comb += ClockSignal("sync").eq(clock)

        # Serial port.
        uart = platform.request(self.board.uart.resource, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.submodules.top = self.top
        m.d.comb += [self.top.rx.eq(rx.i), tx.o.eq(self.top.tx)]

        for name in self.board.held_high:
            m.submodules[name] = pin = io.Buffer("o", platform.request(name, dir="-"))
            m.d.comb += pin.o.eq(1)
        return m


def _global_set_reset(clock: Signal, locked: Signal) -> list[Instance]:
    """The ECP5's own reset network, which takes no wires of the fabric and no reset input of any flip-flop: active until `locked`.

    It returns every flip-flop to its initial value. The two that bring `locked` to `clock` must not follow it.
    """
    stable = [Signal(name=f"stable_{stage}") for stage in range(2)]
    flip_flops = [
        Instance("FD1S3AX", p_GSR="DISABLED", i_CK=clock, i_D=before, o_Q=after)
        for before, after in pairwise([locked, *stable])
    ]
    return [*flip_flops, Instance("SGSR", i_CLK=clock, i_GSR=stable[-1])]


def _sb_pll40(
    setting: Ice40PllSetting, source: dict[str, Any], clock: Signal, locked: Signal
) -> Instance:
    """The iCE40's PLL in the form for its `source`: a pad beside it, or the fabric."""
    return Instance(
        "SB_PLL40_PAD" if "i_PACKAGEPIN" in source else "SB_PLL40_CORE",
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=setting.divr,
        p_DIVF=setting.divf,
        p_DIVQ=setting.divq,
        p_FILTER_RANGE=setting.filter_range,
        i_RESETB=1,
        i_BYPASS=0,
        o_PLLOUTGLOBAL=clock,
        o_LOCK=locked,
        **source,
    )


def _ehxplll(
    setting: Ecp5PllSetting, oscillator: Signal, clock: Signal, locked: Signal
) -> Instance:
    """The ECP5's PLL with its output CLKOP as feedback; the clock is CLKOP, or CLKOS through a divider of its own."""
    if setting.clkos_div is None:
        feedback = clock
        output = {"a_FREQUENCY_PIN_CLKOP": str(float(setting.output_hz) / 1e6)}
    else:
        feedback = Signal(name="feedback")
        output = {
            "a_FREQUENCY_PIN_CLKOP": str(float(setting.feedback_hz) / 1e6),
            "a_FREQUENCY_PIN_CLKOS": str(float(setting.output_hz) / 1e6),
            "p_CLKOS_ENABLE": "ENABLED",
            "p_CLKOS_DIV": setting.clkos_div,
            "p_CLKOS_CPHASE": setting.clkos_div - 1,
            "p_CLKOS_FPHASE": 0,
            "o_CLKOS": clock,
        }
    return Instance(
        "EHXPLLL",
        # Analogue settings: those of the vendor's tool for this range of the phase detector.
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2",
        a_FREQUENCY_PIN_CLKI=str(setting.input_hz / 1e6),
        p_CLKI_DIV=setting.clki_div,
        p_CLKFB_DIV=setting.clkfb_div,
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_DIV=setting.clkop_div,
        p_CLKOP_CPHASE=setting.clkop_div - 1,
        p_CLKOP_FPHASE=0,
        p_FEEDBK_PATH="CLKOP",
        p_OUTDIVIDER_MUXA="DIVA",
        p_OUTDIVIDER_MUXB="DIVB",
        p_OUTDIVIDER_MUXC="DIVC",
        p_OUTDIVIDER_MUXD="DIVD",
        p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED",
        p_PLLRST_ENA="DISABLED",
        i_CLKI=oscillator,
        i_CLKFB=feedback,
        i_RST=0,
        i_STDBY=0,
        i_PHASESEL0=0,
        i_PHASESEL1=0,
        i_PHASEDIR=1,
        i_PHASESTEP=1,
        i_PHASELOADREG=1,
        i_PLLWAKESYNC=0,
        i_ENCLKOP=0,
        o_CLKOP=feedback,
        o_LOCK=locked,
        **output,
    )
