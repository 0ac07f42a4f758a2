"""`rbonn.sw.build.weights`: the file holds what the memories hold."""

from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.build.weights import weight_file
from rbonn.sw.plan.folding import Folding

from ...random_networks import random_network

NETWORK = random_network((1, 5, 1), [], [4], 2)


def test_the_file_has_weights_and_presets_of_each_layer_in_order() -> None:
    config = elaborate(NETWORK, {"dense1": Folding(2, 5), "head": Folding(1, 4)}).config
    first, second = (stage.config for stage in config.stages if stage.name.endswith("_product"))
    content = weight_file(config)
    # Two words of 2 x 5 bits in two bytes each, then two presets of 2 accumulators.
    assert first.weights.width == 10
    assert int.from_bytes(content[0:2], "little") == first.weights.contents[0]
    assert int.from_bytes(content[2:4], "little") == first.weights.contents[1]
    size = -(-first.presets.width // 8)
    assert int.from_bytes(content[4 : 4 + size], "little") == first.presets.table[0]
    rest = content[4 + 2 * size :]
    assert list(rest[:2]) == list(second.weights.contents)
    assert [rest[2], rest[3]] == second.presets.table
    assert len(rest) == 4
