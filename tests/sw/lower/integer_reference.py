"""The integer nodes in NumPy int64, by their definitions in docs/number_formats.md: what a lowered network is compared with."""

import numpy as np
from rbonn.sw.network import Bipolar


def run(network, images):
    """Every edge, (n, height, width, channels) int64, of raw images."""
    edges = {"image": np.asarray(images).astype(np.int64)}
    for node in network.nodes:
        inputs = [edges[name] for name in node.inputs]
        edge = network.edges[node.name]
        edges[node.name] = out = globals()[f"_{node.kind.lower()}"](node, *inputs, edge.datatype)
        assert out.shape[1:] == edge.shape
        assert out.min() >= edge.datatype.minimum
        assert out.max() <= edge.datatype.maximum
        assert not isinstance(edge.datatype, Bipolar) or set(np.unique(out)) <= {-1, 1}
    return edges


def _thermometer(node, x, _):
    bits = np.where(x[..., None] >= node.thresholds, 1, -1)
    return bits.reshape(*x.shape[:3], -1)


def _binarise(node, x, _):
    return np.where(x >= node.threshold, 1, -1)


def _threshold(node, x, _):
    return np.where(x >= node.thresholds, 1, -1)


def _conv(node, x, _):
    pad, stride = node.padding, node.stride
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=node.pad_value)
    windows = np.lib.stride_tricks.sliding_window_view(x, node.kernel, axis=(1, 2))
    windows = windows[
        :, ::stride, ::stride
    ]  # (n, height, width, channel, kernel row, kernel column)
    return np.einsum("nhwcij,oijc->nhwo", windows, node.weights.astype(np.int64))


def _dense(node, x, _):
    return (x.reshape(len(x), -1) @ node.weights.astype(np.int64).T)[:, None, None]


def _shifted(x, shift):
    return (x + ((1 << shift) >> 1)) >> shift


def _affine(node, x, kind):
    return _shifted(x * node.multipliers + node.offsets, node.shift).clip(
        kind.minimum, kind.maximum
    )


def _prelu(node, x, kind):
    return np.where(x >= 0, x, _shifted(x * node.slopes, node.shift)).clip(kind.minimum, kind.maximum)  # fmt: skip


def _add(_, a, b, kind):
    return (a + b).clip(kind.minimum, kind.maximum)


def _avgpool(node, x, _):
    n, height, width, channels = x.shape
    size = node.size
    squares = x.reshape(n, height // size, size, width // size, size, channels)
    return squares.sum(axis=(2, 4))


def _globalavgpool(_, x, __):
    return x.sum(axis=(1, 2), keepdims=True)


def _concatchannels(node, x, _):
    return np.concatenate([x] * node.copies, axis=3)


def _argmax(_, x, __):
    return x.argmax(axis=3, keepdims=True)
