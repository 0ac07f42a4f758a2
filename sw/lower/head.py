"""Fourth pass: the last layer as a product, an integer bias per class, and the label."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import UnsupportedLayerError
from ..network import Affine, ArgMax, EdgeType, Int, Node
from .products import product_node
from .stages import Stage


def head_nodes(stage: Stage, weights: np.ndarray, edge: str, x: EdgeType) -> tuple[Node, ...]:
    """Nodes ``head`` (sums), ``scores`` (sums plus integer bias) and ``label``.

    The trained scores are the integer ones times one positive scale factor, so the order of the classes is the same. The bias is
    ``round(bias / alpha)``; the scores have the narrowest type that holds every sum plus bias, so nothing saturates.

    Parameters
    ----------
    stage : Stage - of a BinaryHead
    weights : (classes, in) int8 - +1 and -1
    edge, x - name and type of the edge that it reads

    Raises
    ------
    UnsupportedLayerError - a scale factor of 0 (all classes would tie), or a bias beyond 31 bits
    """
    layer = stage.product.module
    alpha = float(layer.alpha.detach())
    ratio = (layer.bias.detach().double() / layer.alpha.detach().double()).abs().max()
    if alpha == 0 or not ratio < 1 << 30:
        raise UnsupportedLayerError(
            f"layer {stage.product}: its scale factor {alpha:g} is too small for its bias",
            "Train the head again: its scale factor has collapsed.",
        )
    bias = layer.integer_bias().to(torch.int64).numpy()
    limit = weights.shape[1] * max(abs(x.datatype.minimum), abs(x.datatype.maximum))
    score_type = Int.holding(int(bias.min()) - limit, int(bias.max()) + limit)
    ones = np.ones(len(bias), np.int64)
    return (
        product_node(stage, weights, edge),
        Affine("scores", ("head",), ones, bias, 0, score_type),
        ArgMax("label", ("scores",)),
    )
