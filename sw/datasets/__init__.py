"""Image data sets as NumPy arrays: published ones, always checked by SHA-256, and pictures of one's own.

They are found in a folder, or (published ones) downloaded into the user's cache on first use.

The folder is the one given, else the environment variable RBONN_DATA, else the user's cache folder. A folder given by the user is never
written to.
"""

from .dataset import Dataset, Split
from .loading import DATASET_CLASSES, DATASET_SHAPES, DATASETS, cache_folder, load_dataset
from .mnist import parse_idx
from .picture_folders import PicturesConfig
from .published_file import ENVIRONMENT_VARIABLE
from .samples import SAMPLED, load_samples, samples

__all__ = [
    "DATASETS",
    "DATASET_CLASSES",
    "DATASET_SHAPES",
    "ENVIRONMENT_VARIABLE",
    "SAMPLED",
    "Dataset",
    "PicturesConfig",
    "Split",
    "cache_folder",
    "load_dataset",
    "load_samples",
    "parse_idx",
    "samples",
]
