"""What every node of the integer network computes, in NumPy int64 and plain integers: one loop per output element, nothing clever."""

import numpy as np
from rbonn.sw.network import (
    Add,
    Affine,
    ArgMax,
    AvgPool,
    Binarise,
    ConcatChannels,
    Conv,
    Dense,
    GlobalAvgPool,
    MaxPool,
    PReLU,
    Thermometer,
    Threshold,
)


def reference(node, output, *inputs):
    """(values, how many of them were saturated) of a node; (n, height, width, channels) int64 in and out, `output` the type of its edge."""
    exact = unlimited(node, *inputs)
    limited = np.clip(exact, output.minimum, output.maximum)
    return limited, int((limited != exact).sum())


def network_reference(network, images):
    """Every edge of a network, and how many values each node saturated."""
    edges, saturations = {"image": np.asarray(images).astype(np.int64)}, {}
    for node in network.nodes:
        output = network.edges[node.name].datatype
        inputs = (edges[name] for name in node.inputs)
        edges[node.name], saturations[node.name] = reference(node, output, *inputs)
    return edges, saturations


def unlimited(node, x, y=None):
    """What a node computes before it saturates."""
    n, height, width, channels = x.shape
    match node:
        case Binarise():
            return np.where(x >= node.threshold, 1, -1)
        case Threshold():
            return np.where(x >= node.thresholds, 1, -1)
        case Thermometer():
            levels = len(node.thresholds)
            out = np.empty((n, height, width, channels * levels), np.int64)
            for c in range(channels):
                for level, threshold in enumerate(node.thresholds):
                    out[..., c * levels + level] = np.where(x[..., c] >= threshold, 1, -1)
            return out
        case Conv():
            return convolved(node, x)
        case Dense():
            out = np.zeros((n, 1, 1, len(node.weights)), np.int64)
            for i, image in enumerate(x):
                for row, weights in enumerate(node.weights.astype(np.int64)):
                    out[i, 0, 0, row] = (weights * image.reshape(-1)).sum()
            return out
        case Affine():
            return scaled(x, node.multipliers, node.offsets, node.shift)
        case PReLU():
            return np.where(x >= 0, x, scaled(x, node.slopes, 0 * node.slopes, node.shift))
        case Add():
            return x + y
        case MaxPool():
            return pooled(x, node.size, np.max)
        case AvgPool():
            return pooled(x, node.size, np.sum)
        case GlobalAvgPool():
            out = np.zeros((n, 1, 1, channels), np.int64)
            for r in range(height):
                for c in range(width):
                    out[:, 0, 0] += x[:, r, c]
            return out
        case ConcatChannels():
            out = np.empty((n, height, width, node.copies * channels), np.int64)
            for k in range(node.copies):
                for c in range(channels):
                    out[..., k * channels + c] = x[..., c]
            return out
        case ArgMax():
            best = [min(i for i, v in enumerate(row) if v == row.max()) for row in x[:, 0, 0]]
            return np.array(best).reshape(-1, 1, 1, 1)
    raise NotImplementedError(node.kind)


def scaled(x, multipliers, offsets, shift):
    """``x * multiplier + offset``, divided by ``2 ** shift`` and rounded, ties upwards; Python integers have no width to overflow."""
    out = np.empty(x.shape, np.int64)
    for index in np.ndindex(x.shape):
        exact = int(x[index]) * int(multipliers[index[3]]) + int(offsets[index[3]])
        # the whole number nearest to exact / 2^shift: of two equally near ones the larger
        out[index] = (2 * exact + 2**shift) // 2 ** (shift + 1)
    return out


def pooled(x, size, combine):
    n, height, width, channels = x.shape
    out = np.empty((n, height // size, width // size, channels), np.int64)
    for r in range(height // size):
        for c in range(width // size):
            square = x[:, r * size : r * size + size, c * size : c * size + size]
            out[:, r, c] = combine(square, axis=(1, 2))
    return out


def convolved(node, x):
    n, height, width, channels = x.shape
    p, s = node.padding, node.stride
    padded = np.full((n, height + 2 * p, width + 2 * p, channels), node.pad_value, np.int64)
    padded[:, p : p + height, p : p + width] = x
    weights = node.weights.astype(np.int64)
    n_out, kernel_height, kernel_width, _ = weights.shape
    rows = range(0, height + 2 * p - kernel_height + 1, s)
    columns = range(0, width + 2 * p - kernel_width + 1, s)
    out = np.zeros((n, len(rows), len(columns), n_out), np.int64)
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            window = padded[:, None, r : r + kernel_height, c : c + kernel_width]
            out[:, i, j] = (window * weights).sum(axis=(2, 3, 4))
    return out
