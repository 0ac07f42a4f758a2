import pytest
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.lower import lower
from torch import nn

from .residual_modules import Shape, build


def test_an_odd_image_before_a_stride_of_2_is_refused_with_both_shapes():
    module, _ = build(Shape())
    image = Shape(image=(9, 8, 3)).image_type
    with pytest.raises(
        UnsupportedLayerError,
        match=r"layer 3\.1 \(Block\): its skip connection gives 4x4x8, its convolution 5x4x8",
    ) as error:
        lower(module, "t", image)
    assert "even height and width" in error.value.hint


def test_a_skip_connection_that_torch_would_broadcast_is_refused():
    shape = Shape(channels=1, blocks=((1, 1), (4, 1)))
    module, _ = build(shape)
    module[3][1].shortcut = nn.Identity()
    with pytest.raises(UnsupportedLayerError, match="its skip connection gives 8x8x1, its convolution 8x8x4"):  # fmt: skip
        lower(module, "t", shape.image_type)
