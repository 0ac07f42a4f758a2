"""What is wrong with the values of an experiment file, in plain words: the key as the file has it, what it must be, and what to write."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_type_hints

from pydantic import ValidationError

from ..errors import ExperimentError
from .networks import NetworkConfig

_TEXTS = {
    "missing": "is missing",
    "int_type": "must be a whole number, not {value}",
    "float_type": "must be a number, not {value}",
    "bool_type": "must be true or false, not {value}",
    "string_type": "must be a text in quotes, not {value}",
    "tuple_type": "must be a list, not {value}",
    "dataclass_type": "must be a table, not {value}",
    "model_attributes_type": "must be a table, not {value}",
    "literal_error": "must be {expected}, not {value}",
    "finite_number": "must be a finite number, not {value}",
    "greater_than": "must be above {gt}, not {value}",
    "greater_than_equal": "must be at least {ge}, not {value}",
    "less_than": "must be below {lt}, not {value}",
    "less_than_equal": "must be at most {le}, not {value}",
    "too_short": "must be a list of at least {min_length}, not of {actual_length}",
    "too_long": "must be a list of at most {max_length}, not of {actual_length}",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must match {pattern}, not {value}",
    "value_error": "{error}",
    "union_tag_not_found": "is missing",
    "union_tag_invalid": "{value} is no kind of network",
}
"""By pydantic's types of errors; with other ones, its own text stands."""

_KINDS = [
    kind for config in get_args(NetworkConfig) for kind in get_args(get_type_hints(config)["kind"])
]
_LONGEST_VALUE = 40
"""Characters of a value that a message shows."""


def problem_of(invalid: ValidationError, source: str) -> ExperimentError:
    """The first of the errors in `invalid`; `source` names the file."""
    first = invalid.errors()[0]
    problem, value, context = first["type"], first["input"], first.get("ctx", {})
    key = _key(first["loc"])
    hint = "Correct that key; docs/training.md has all of them."
    if problem.startswith("union_tag"):  # its place is the table, its value the whole of it
        key, value = f"{key}.kind", value.get("kind") if isinstance(value, dict) else None
        hint = suggestion(value, _KINDS)
    elif problem == "literal_error" and (words := re.findall("'([^']*)'", context["expected"])):
        hint = suggestion(value, words)
    elif problem == "tuple_type" and isinstance(value, dict):
        hint = f"Write [[{key}]] with double brackets: there may be several."
    elif problem == "dataclass_type" and isinstance(value, list) and key:
        hint = f"Write [{key}] with single brackets: there is one."
    text = _TEXTS.get(problem)
    says = text.format(**context, value=_shown(value)) if text else first["msg"]
    return ExperimentError(f"{source}: {key}: {says}" if key else f"{source}: {says}", hint)


def reject_unknown_keys(values: Any, annotation: Any, source: str, place: str = "") -> None:
    """Walks `values` along the dataclasses of `annotation`; raises ExperimentError at the first key that no field has."""
    config = _dataclass_of(values, annotation)
    if config is None:
        return
    if isinstance(values, list):
        for i, value in enumerate(values):
            reject_unknown_keys(value, config, source, f"{place}[{i}]")
        return
    hints = get_type_hints(config)
    for key, value in values.items():
        name = f"{place}.{key}".lstrip(".")
        if key not in hints:
            raise ExperimentError(f"{source}: unknown key {name!r}", suggestion(key, sorted(hints)))
        reject_unknown_keys(value, hints[key], source, name)


def _key(place: tuple[int | str, ...]) -> str:
    """`place` as the file has it: ``training.stages[0].epochs``."""
    if place[:1] == ("network",) and place[1:2] and place[1] in _KINDS:
        place = ("network", *place[2:])  # pydantic puts the kind of network that it tried there
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).lstrip(".")


def suggestion(word: Any, known: Iterable[str]) -> str:
    """The known word that is near to `word`, if one is, and all known ones."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1) if isinstance(word, str) else []
    everything = f"Known are {', '.join(known)}."
    return f"Did you mean {near[0]!r}? {everything}" if near else everything


def _shown(value: Any) -> str:
    """`value` as TOML has it, cut where it is long."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _dataclass_of(values: Any, annotation: Any) -> type | None:
    """The dataclass among the alternatives of `annotation` that the table (or list of tables) `values` is meant to be."""
    found = [part for part in (annotation, *_parts(annotation)) if dataclasses.is_dataclass(part)]
    if not isinstance(values, (dict, list)) or not found:
        return None
    for config in found:
        kinds = get_args(get_type_hints(config).get("kind"))
        if isinstance(values, dict) and kinds and values.get("kind") in kinds:
            return config  # type: ignore[return-value]
    return found[0] if len(found) == 1 else None  # type: ignore[return-value]


def _parts(annotation: Any) -> list[Any]:
    """All types inside a union, a tuple or an Annotated, however deep."""
    return [part for arg in get_args(annotation) for part in (arg, *_parts(arg))]
