"""Recurrent bilinear optimisation of one dense layer, written out in NumPy float64 element by element: what the tests compare with.

The loss is half the squared distance between the layer's outputs and targets, so that the next gradients depend on every number that a
step changed. `x` is (batch, in), targets (batch, out).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray
SMALLEST_A = 1e-6


def sign(x: Array) -> Array:
    return np.where(x >= 0, 1.0, -1.0)


def paper_mask(w: Array, a: Array, tau: float) -> list[bool]:
    """Rank of A above T and rank of the l1 norm not above T, ranks counted one by one."""
    n = len(w)
    threshold = int(n * tau)
    norms = [sum(abs(w[i, j]) for j in range(w.shape[1])) for i in range(n)]

    def rank(values, i):
        return 1 + sum((values[k], k) < (values[i], i) for k in range(n))

    return [rank(a, i) > threshold and not rank(norms, i) > threshold for i in range(n)]


@dataclass
class Paper:
    """State and one step of mode ``paper``: latent weights w, A = 1 / alpha, gains u.

    `seen` collects what happened, so that a test can require that it did.
    """

    w: Array
    a: Array
    u: Array
    lam: float
    tau: float
    eta_u: float
    limit: float
    before: Array | None = None
    """w of the step before; None in the first one."""
    mask: list[bool] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def gradients(self, x: Array, target: Array) -> tuple[Array, Array, Array]:
        """Of the data alone at w, and with the bilinear term at w and at A."""
        b = sign(self.w)
        outputs = np.array([[(b[i] @ row) / self.a[i] for i in range(len(b))] for row in x])
        error = outputs - target  # (batch, out)
        data, of_w, of_a = (np.zeros_like(v) for v in (self.w, self.w, self.a))
        for i, a in enumerate(self.a):
            of_alpha = 0.0
            for sample, row in enumerate(x):
                data[i] += error[sample, i] * row / a
                of_alpha += error[sample, i] * (b[i] @ row)
            of_w[i] = data[i] + 2 * self.lam * a * (a * self.w[i] - b[i])
            bilinear = a * (self.w[i] @ self.w[i]) - np.abs(self.w[i]).sum()
            of_a[i] = -of_alpha / a**2 + 2 * self.lam * bilinear
        return data, of_w, of_a

    def finish(self, w_plain: Array, a_plain: Array, data: Array, rate: float) -> None:
        """From what the optimiser made of w and A to the end of the step; `rate` is the optimiser's for w."""
        old = self.w
        self.mask = paper_mask(old, self.a, self.tau)
        gain_gradient = np.zeros_like(self.u)
        if self.before is not None:
            earlier = paper_mask(self.before, self.a, self.tau)
            gain_gradient = np.array(
                [data[i] @ self.before[i] if earlier[i] else 0.0 for i in range(len(old))]
            )
        new = w_plain.copy()
        for i, active in enumerate(self.mask):
            for j in range(old.shape[1]):
                if active:
                    new[i, j] = w_plain[i, j] + self.u[i] * old[i, j]
                self._note(old[i, j], w_plain[i, j], new[i, j])
                new[i, j] = min(max(new[i, j], -self.limit), self.limit)
        if (a_plain < 0).any():
            self.seen.add("A reflected")
        gains = self.u - self.eta_u * rate * gain_gradient
        if (gains < 0).any():
            self.seen.add("U reflected")
        self.w, self.before = new, old
        self.a = np.maximum(np.abs(a_plain), SMALLEST_A)
        self.u = np.abs(gains)

    def _note(self, old: float, plain: float, new: float) -> None:
        if sign(np.array(plain)) != sign(np.array(old)):
            self.seen.add("flip undone" if sign(np.array(new)) == sign(np.array(old)) else "flip")
        if abs(new) > self.limit:
            self.seen.add("limited")


@dataclass
class Released:
    """State and one step of the released code: latent weights w, scale s with alpha = 0.02 |s|, free gains u, plain gradient descent.

    `ranked` chooses the channels that the code means, and the l1 condition with them.
    """

    w: Array
    s: Array
    u: Array
    lam: float
    tau: float
    ranked: bool = False
    stored: Array | None = None
    """Gradient at w of the step before."""
    seen: set[str] = field(default_factory=set)

    def channels(self) -> list[bool]:
        n = len(self.s)
        if self.ranked:
            return paper_mask(self.w, 1 / np.abs(self.s), self.tau)
        order = np.argsort(np.abs(self.s))
        return [bool(order[i] < int(n * (1 - self.tau))) for i in range(n)]

    def looked_ahead(self) -> Array:
        """The weights that this step's forward pass makes bits of."""
        ahead = self.w.copy()
        if self.stored is not None:
            for i, chosen in enumerate(self.channels()):
                if chosen:
                    ahead[i] -= self.u[i] * self.stored[i]
        return ahead

    def step(self, x: Array, target: Array, rates: tuple[float, float, float]) -> None:
        """Gradient descent with rates of w, s and u."""
        c = 0.02
        ahead = self.looked_ahead()
        if (sign(ahead) != sign(self.w)).any():
            self.seen.add("looked ahead over a flip")
        of_w, of_s, of_u = (np.zeros_like(v) for v in (self.w, self.s, self.u))
        for i, s in enumerate(self.s):
            b, size = sign(ahead[i]), abs(s)
            g = np.zeros_like(ahead[i])  # at the scaled bits
            for row, wanted in zip(x, target, strict=True):
                g += (size * c * (b @ row) - wanted[i]) * row
            residual = ahead[i] - c * b * size
            of_w[i] = self.lam * residual + g * size
            of_size = (g * ahead[i]).sum() - self.lam * (residual * c * b).sum()
            of_s[i] = of_size * np.sign(s)
            if self.stored is not None and self.channels()[i]:
                of_u[i] = -(of_w[i] * self.stored[i]).sum()
        self.w = self.w - rates[0] * of_w
        self.s = self.s - rates[1] * of_s
        self.u = self.u - rates[2] * of_u
        self.stored = of_w
        if (self.u < 0).any():
            self.seen.add("negative gain")
