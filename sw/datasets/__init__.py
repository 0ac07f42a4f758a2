"""Image data sets as NumPy arrays, always checked by SHA-256: found in a folder, or downloaded into the user's cache on first use.

The folder is the one given, else the environment variable RBONN_DATA, else the user's cache folder. A folder given by the user is never
written to.
"""

from .dataset import Dataset, Split
from .loading import DATASET_CLASSES, DATASET_SHAPES, DATASETS, cache_folder, load_dataset
from .mnist import parse_idx
from .published_file import ENVIRONMENT_VARIABLE
from .samples import SAMPLED, load_samples, samples

__all__ = [
    "DATASETS",
    "DATASET_CLASSES",
    "DATASET_SHAPES",
    "ENVIRONMENT_VARIABLE",
    "SAMPLED",
    "Dataset",
    "Split",
    "cache_folder",
    "load_dataset",
    "load_samples",
    "parse_idx",
    "samples",
]
