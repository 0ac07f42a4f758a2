"""A multiplier and an adder in the form that a device is best at."""

from amaranth.lib import wiring

from .ecp5.multiply_add import Ecp5MultiplyAdd
from .ice40.multiply_add import Ice40MultiplyAdd
from .multiply_add_config import MULTIPLY_ADD_FORMS, MultiplyAddConfig
from .portable.multiply_add import InferredMultiplyAdd, LogicMultiplyAdd

__all__ = ["MULTIPLY_ADD_FORMS", "MultiplyAddConfig", "multiply_add"]


def multiply_add(config: MultiplyAddConfig) -> wiring.Component:
    """``o = (x * multiplier >> dropped) + addend``, modulo ``2 ** output_bits``, one in every enabled cycle.

    There is no valid flag: `o` belongs to the operands of `latency_cycles` enabled cycles before, and the addend is looked at
    `addend_cycles` enabled cycles after its operands. Reset leaves everything as it is.

    Members
    -------
    enable : In(1) - the registers move only while this is high
    x : In(x_bits)
    multiplier : In(multiplier_bits)
    addend : In(output_bits)
    o : Out(output_bits)
    """
    forms = {
        "inferred": InferredMultiplyAdd,
        "logic": LogicMultiplyAdd,
        "ecp5": Ecp5MultiplyAdd,
        "ice40": Ice40MultiplyAdd,
    }
    return forms[config.form](config)
