"""`rbonn.hw.accelerator`: what a chain of stages must be."""

import pytest
from rbonn.hw.accelerator import AcceleratorConfig, Stage
from rbonn.hw.argmax import ArgMaxConfig
from rbonn.hw.fifo import FifoConfig

ARGMAX = Stage("label", ArgMaxConfig(n_classes=3, score_bits=8))
BYTES = Stage("buffer", FifoConfig(8, 2, 3))


def test_a_chain_states_its_ends_and_its_slowest_stage() -> None:
    config = AcceleratorConfig((BYTES, ARGMAX))
    assert (config.image_bytes, config.n_classes, config.score_bits, config.label_bits) == (
        3,
        3,
        8,
        2,
    )
    assert config.interval_cycles == 3


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((), "Stages must end in an argmax"),
        ((BYTES,), "Stages must end in an argmax"),
        ((Stage("b", FifoConfig(7, 2, 3)), ARGMAX), "First stage must take bytes, not 7 bits"),
        (
            (Stage("label", BYTES.config), ARGMAX),
            r"Stage names must be unique, not \['label', 'label'\]",
        ),
        (
            (Stage("b", FifoConfig(8, 2, 4)), ARGMAX),
            "Stage 'label' takes 3 transfers of 8 bits a frame, but 'b' sends 4 of 8",
        ),
    ],
)
def test_it_rejects(stages: tuple[Stage, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AcceleratorConfig(stages)
