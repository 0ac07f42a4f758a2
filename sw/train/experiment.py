"""Experiments: everything that decides a training's result, read from TOML into frozen dataclasses."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, TypeAdapter, ValidationError

from ..datasets import DATASET_CLASSES, DATASET_SHAPES, DATASETS, PicturesConfig
from ..errors import ExperimentError, UnknownNameError
from .augmentation import AugmentationConfig
from .distillation import DistillationConfig
from .experiment_problems import problem_of, reject_unknown_keys, suggestion
from .networks import CnnConfig, ImageShape, NetworkConfig, build_network

_Rate = Annotated[float, Field(ge=0, lt=1)]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """One stage of a training; each starts with a fresh optimiser and its own learning rate.

    Parameters
    ----------
    epochs : int - passes over the training images, at least 1
    weights : str - ``binary``, or ``real``: binary activations with the real latent weights, the usual first of two stages
    learning_rate : float - of Adam at the stage's start
    decay : str - how it falls to 0 over the stage: ``linear``, as published, or ``cosine``
    weight_decay : float - L2 penalty on tensors with two axes or more: weights, but no scale factors, shifts or batch norms
    """

    epochs: Annotated[int, Field(ge=1)]
    weights: Literal["real", "binary"] = "binary"
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5e-3
    decay: Literal["linear", "cosine"] = "linear"
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a network is trained.

    Parameters
    ----------
    stages : tuple[StageConfig, ...] - in order, one at least; the last one is binary, and none with real weights comes after a binary one
    batch : int - images per step, of all processes together; what is left over at the end of an epoch is dropped
    accumulation : int - equal parts that a step's images go through the network in, one after another, to save memory
    seed : int - of the first weights, the order of the images and the augmentation
    held_out : int - training images kept apart, on which accuracy is judged; they choose nothing
    selection : int - further training images kept apart, on which the best epoch is chosen
    label_smoothing : float - share of a label spread over all classes, 0 to below 1
    betas : (float, float) - decay rates of Adam's moments
    averaging : float or None - decay of an exponential average of the parameters over a stage's steps, which is judged and kept in place of the
        parameters of the latest step; None: no average
    threads : int - of PyTorch, in each process; sums depend on it in their last bits, so a resumed training needs the same
    precision : str - ``float32``, or ``bfloat16``: mixed precision in training; evaluation is in float32 always
    compile : bool - compile the training step with torch.compile (on a CPU that takes a C++ compiler; without one it is left out)
    deterministic : bool - only algorithms that give the same bits in every run
    checkpoint_minutes : float - time between two checkpoints within an epoch; there is one after each epoch anyway
    """

    stages: Annotated[tuple[StageConfig, ...], Field(min_length=1)]
    batch: Annotated[int, Field(ge=2)] = 128
    accumulation: Annotated[int, Field(ge=1)] = 1
    seed: Annotated[int, Field(ge=0, lt=1 << 62)] = 1
    held_out: Annotated[int, Field(ge=1)] = 5000
    selection: Annotated[int, Field(ge=1)] = 2500
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    betas: tuple[_Rate, _Rate] = (0.9, 0.999)
    averaging: _Rate | None = None
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    deterministic: bool = True
    checkpoint_minutes: Annotated[float, Field(ge=0, allow_inf_nan=False)] = field(
        default=5.0,
        compare=False,  # a resumed training may change it: it does not touch the result
    )

    def __post_init__(self) -> None:
        if self.batch % self.accumulation:
            raise ValueError(
                f"a batch of {self.batch} does not split into {self.accumulation} equal parts"
            )
        weights = [stage.weights for stage in self.stages]
        if weights != sorted(weights, reverse=True) or weights[-1:] == ["real"]:
            raise ValueError("stages with real weights come first, and the last stage is binary")

    @property
    def epochs(self) -> int:
        """Of all stages together."""
        return sum(stage.epochs for stage in self.stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A network, its data set and its training.

    Parameters
    ----------
    name : str - ``<data>_<shape>_<w>w<a>a``
    title : str - one line for people
    dataset : str - ``mnist`` or ``cifar10``; with `pictures` the name of a data set of one's own
    pictures : PicturesConfig or None - what that data set consists of
    network : NetworkConfig - ``kind`` says which
    training, augmentation : TrainingConfig, AugmentationConfig
    distillation : DistillationConfig or None - None: the labels alone teach
    """

    name: _Name
    title: str
    dataset: _Name
    pictures: PicturesConfig | None = None
    network: Annotated[NetworkConfig, Field(discriminator="kind")]
    training: TrainingConfig
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    distillation: DistillationConfig | None = None

    @property
    def image(self) -> ImageShape:
        """The shape of the data set's images."""
        shape = self.pictures.image_shape if self.pictures else DATASET_SHAPES[self.dataset]
        return ImageShape(*shape)

    @property
    def n_classes(self) -> int:
        return len(self.pictures.classes if self.pictures else DATASET_CLASSES[self.dataset])

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


_ADAPTER = TypeAdapter(Experiment)
_MAX_PARAMETERS = 1 << 30
"""4 GiB in float32, and training takes four times that; the largest of the published networks has 11 million."""


def shipped_experiments() -> dict[str, Path]:
    """The experiments that come with the program, by name."""
    folder = Path(str(resources.files("rbonn.sw.train"))) / "experiments"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_experiment(name: str) -> Path:
    """The path of the shipped experiment `name`, or `name` as a path where it is none. Raises UnknownNameError where neither is a file."""
    shipped = shipped_experiments()
    if name in shipped:
        return shipped[name]
    if Path(name).is_dir():
        raise UnknownNameError(
            f"{name}: is a folder, not an experiment",
            f"Name a TOML file or one of {', '.join(shipped)}.",
        )
    if name.endswith(".toml") or Path(name).is_file():
        return Path(name)
    raise UnknownNameError(
        f"Experiment {name!r} does not exist", f"Name a TOML file or one of {', '.join(shipped)}."
    )


def load_experiment(path: Path) -> Experiment:
    """Reads an experiment file.

    Raises
    ------
    ExperimentError - the file is missing or not TOML, a key is unknown (the nearest known one is suggested), missing, or out of range, or
        the network's layers do not fit together
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExperimentError(
            f"{path}: cannot be read ({error.strerror})",
            f"Name a TOML file or one of {', '.join(shipped_experiments())}.",
        ) from error
    except ValueError as error:  # of TOML, of UTF-8, or a number of thousands of digits
        raise ExperimentError(
            f"{path}: not TOML ({error})", "Correct the file at that place."
        ) from error
    return parse_experiment(values, str(path))


def parse_experiment(values: dict[str, Any], source: str) -> Experiment:
    """An experiment from the values of its file; `source` names it in errors. Raises ExperimentError as `load_experiment` does."""
    reject_unknown_keys(values, Experiment, source)
    try:
        # As JSON, since strict Python values would have to be tuples and dataclasses already. Strict: "16" is no number, true no 1.
        experiment = _ADAPTER.validate_json(json.dumps(values), strict=True)
    except TypeError as error:
        raise ExperimentError(
            f"{source}: a value is a date or a time ({error})", "No key takes one: remove it."
        ) from error
    except ValidationError as error:
        raise problem_of(error, source) from error
    _check_images(experiment, source)
    try:
        _check_network(experiment)
    except (
        ValueError,
        RuntimeError,
        TypeError,
        MemoryError,
    ) as error:  # PyTorch has many words for too large
        reason = str(error).partition("\n")[0]
        raise ExperimentError(
            f"{source}: network: {reason}", "Change the network's shape."
        ) from error
    return experiment


def _check_images(experiment: Experiment, source: str) -> None:
    """Raises ExperimentError where the data set is not known, or its images are too small for the augmentation."""
    name, published = experiment.dataset, experiment.dataset in DATASETS
    if experiment.pictures and published:
        raise ExperimentError(
            f"{source}: pictures: {name} is a published data set, not one of your own",
            "Choose another name in 'dataset', or remove the table.",
        )
    if not experiment.pictures and not published:
        raise ExperimentError(
            f"{source}: dataset: there is no {name!r}, nor a table [pictures] that says what it consists of",
            suggestion(name, DATASETS),
        )
    image, crop = experiment.image, experiment.augmentation.crop_pixels
    if crop >= min(image.height, image.width):
        raise ExperimentError(
            f"{source}: augmentation.crop_pixels: must be below {min(image.height, image.width)}, the images' size, not {crop}",
            "Choose fewer pixels.",
        )


def _check_network(experiment: Experiment) -> None:
    """Builds the network without memory for its tensors. Raises ValueError, or what PyTorch has in mind, where that cannot be done."""
    config = experiment.network
    shape = (experiment.image, experiment.n_classes)
    plain = config
    if isinstance(config, CnnConfig):
        convolutions = (dataclasses.replace(c, codewords=None) for c in config.convolutions)
        plain = dataclasses.replace(config, convolutions=tuple(convolutions))
    with torch.device("meta"):
        network = build_network(plain, *shape)
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    if n_parameters > _MAX_PARAMETERS:
        raise ValueError(f"{n_parameters:,} parameters are more than {_MAX_PARAMETERS:,}")
    if plain != config:  # a codebook is counted from weights, which must be there
        build_network(config, *shape)
