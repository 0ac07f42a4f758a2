"""How the program fails."""


def fails(result: tuple[int, str, str], *parts: str) -> None:
    """Exit status 1, nothing on stdout, one line that says what and one that says what to do, with `parts` in them."""
    status, out, err = result
    assert status == 1, err
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 2, err
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("  ")
    for part in parts:
        assert part in err
