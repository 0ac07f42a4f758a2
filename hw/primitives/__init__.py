"""What differs from device to device: how matches are counted and accumulated, and how block RAM is read.

`matrix_vector` and the blocks around it say what is computed; here is how a device does it best. Every form computes the same
numbers; the portable one is the reference, and synthesises for any device.
"""

from .counting import Adder, CountingForm, Lane
from .ecp5 import Ecp5Counting
from .ice40 import Ice40Counting
from .portable import PortableCounting

COUNTING_FORMS: dict[str, CountingForm] = {
    "portable": PortableCounting(),
    "ice40": Ice40Counting(carry_lanes=False),
    "ice40_carry_lanes": Ice40Counting(carry_lanes=True),
    "ice40_no_twins": Ice40Counting(carry_lanes=True, twin_inputs=False),
    "ecp5": Ecp5Counting(),
}
"""By name, as a `Config` states them."""

__all__ = ["COUNTING_FORMS", "Adder", "CountingForm", "Lane"]
