"""`benchmarks/rows.py`: what a measurement goes on from."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import rows


def test_rows_of_other_sources_and_broken_lines_are_left_out(tmp_path: Path) -> None:
    work = tmp_path / "work.jsonl"
    lines = [json.dumps({"key": key, "batch": n}) for n, key in enumerate(["a", "b", "a"])]
    work.write_text("\n".join(lines) + '\n{"key": "a", "bat')
    assert [row["batch"] for row in rows.finished(work, "a")] == [0, 2]
    assert list(rows.finished(tmp_path / "none", "a")) == []


def test_the_digest_is_of_contents_in_the_order_of_their_names(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("b.py", "a.py")]
    for path in paths:
        path.write_text(path.name)
    digest = rows.source_digest(paths)
    assert digest == rows.source_digest(paths[::-1])
    paths[0].write_text("c.py")
    assert digest != rows.source_digest(paths)
