"""The smallest design with a serial port: sends back what it receives."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Echo(wiring.Component):
    rx: In(1)
    tx: Out(1, init=1)

    def __init__(self, delay: int = 4) -> None:
        self.delay = delay
        super().__init__()

    def elaborate(self, platform) -> Module:
        m = Module()
        line = Signal(self.delay, init=-1)
        m.d.sync += line.eq(Cat(self.rx, line))
        m.d.comb += self.tx.eq(line[-1])
        return m
