"""One folding for each layer within a common interval, so that all together fit a device."""

from __future__ import annotations

from collections.abc import Mapping

from .options import Option, amounts
from .resources import Resources

Options = Mapping[str, list[Option]]
Prices = tuple[int, int, int]


def cheapest(
    options: Options, limit: int, prices: Prices, capacity: Resources
) -> dict[str, Option]:
    """The option of each layer within `limit` cycles whose shares of `capacity` cost least at `prices`; of equals the slowest."""

    def cost(option: Option) -> tuple[float, int]:
        shares = _shares(option.cost, capacity)
        total = sum(share * price for share, price in zip(shares, prices, strict=True))
        return total, -option.cycles

    return {
        name: min((option for option in layer if option.cycles <= limit), key=cost)
        for name, layer in options.items()
    }


def fitted(
    options: Options,
    limit: int,
    prices: Prices,
    overhead: Resources,
    capacity: Resources,
) -> dict[str, Option] | None:
    """Options of all layers that fit `capacity` together with `overhead`; None where none are found.

    From the cheapest ones at `prices` on, one layer after the other takes what brings the overflow down at the smallest share of all
    resources, until there is no overflow.
    """
    chosen = cheapest(options, limit, prices, capacity)
    used = list(_shares(overhead, capacity))
    shares = {
        name: [(option, _shares(option.cost, capacity)) for option in layer if option.cycles <= limit]
        for name, layer in options.items()
    }  # fmt: skip
    for option in chosen.values():
        used = [a + b for a, b in zip(used, _shares(option.cost, capacity), strict=True)]
    while (overflow := _overflow(used)) > 0:
        best, best_ratio, best_used = None, 0.0, used
        for name, layer in shares.items():
            now = _shares(chosen[name].cost, capacity)
            for option, share in layer:
                then = [u - a + b for u, a, b in zip(used, now, share, strict=True)]
                gain = overflow - _overflow(then)
                if gain <= 1e-9:
                    continue
                price = max(sum(then) - sum(used) + gain, 1e-6)
                if gain / price > best_ratio:
                    best, best_ratio, best_used = (name, option), gain / price, then
        if best is None:
            return None
        chosen[best[0]], used = best[1], best_used
    return chosen


def _shares(cost: Resources, capacity: Resources) -> tuple[float, ...]:
    there = amounts(capacity)
    return tuple(n / max(of, 1) for n, of in zip(amounts(cost), there, strict=True))


def _overflow(used: list[float]) -> float:
    return sum(max(0.0, share - 1) for share in used)
