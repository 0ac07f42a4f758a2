"""Plots of trainings: read back as SVG, whose lines have the points that the history has."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rbonn.sw.errors import OutputError
from rbonn.sw.report.training_plots import mean_and_deviation, plot_comparison, plot_history
from rbonn.sw.train.history import EpochRecord, History

SVG = "{http://www.w3.org/2000/svg}"


def history(n=6, border=4, offset=0.0):
    return History(
        EpochRecord(
            epoch=epoch,
            stage=int(epoch >= border),
            loss=2 / epoch + offset,
            train_accuracy=1 - 0.5 / epoch - offset,
            selection_accuracy=1 - 0.6 / epoch - offset,
            learning_rate=0.1,
            sign_flip_ratio=0.02 / epoch if epoch >= border else 0.0,
            active_channel_ratio=0.3 if epoch >= border else 0.0,
            seconds=1.0,
        )
        for epoch in range(1, n + 1)
    )


def axes(path):
    """The four axes of an SVG file."""
    groups = ElementTree.parse(path).iter(f"{SVG}g")
    return [group for group in groups if group.get("id", "").startswith("axes_")]


def texts(element):
    return ["".join(text.itertext()).strip() for text in element.iter(f"{SVG}text")]


def curves(axis, n):
    """Vertical positions of the curves of `n` points in one of the axes, upwards, in the order of drawing."""
    paths = [path.get("d").split() for path in axis.iter(f"{SVG}path") if path.get("clip-path")]
    found = []
    for words in paths:
        heights = [float(words[i + 2]) for i, word in enumerate(words) if word in "ML"]
        if len(heights) == n and "z" not in words:
            found.append(-np.array(heights))
    return found


def borders(axis):
    """Horizontal positions of vertical dotted lines."""
    found = []
    for path in axis.iter(f"{SVG}path"):
        words = path.get("d").split()
        if "stroke-dasharray" in path.get("style", "") and words[1::3][:2] == [words[1]] * 2:
            found.append(float(words[1]))
    return found


def rescaled(values):
    values = np.asarray(values)
    return (values - values[0]) / (values[-1] - values[0])


@pytest.fixture(scope="module")
def plotted(tmp_path_factory):
    path = tmp_path_factory.mktemp("plots") / "history.svg"
    plot_history(history(), path, "mnist_tiny")
    return path


def test_the_four_panels_are_named(plotted):
    found = texts(ElementTree.parse(plotted).getroot())
    for name in ("mnist_tiny", "loss", "accuracy, %", "training", "selection"):
        assert name in found
    assert any(text.startswith("sign flips") for text in found)
    assert any(text.startswith("channels the recurrent step") for text in found)


def test_the_curves_are_those_of_the_history(plotted):
    loss, accuracy, flips, active = axes(plotted)
    found = [*curves(loss, 6), *curves(accuracy, 6)]
    names = ("loss", "train_accuracy", "selection_accuracy")
    for name, curve in zip(names, found, strict=True):
        np.testing.assert_allclose(rescaled(curve), rescaled(history().column(name)), atol=1e-4)
    (active_curve,) = curves(active, 6)
    np.testing.assert_allclose(rescaled(active_curve), [0, 0, 0, 1, 1, 1], atol=1e-4)
    (flip_curve,) = curves(flips, 6)  # on a logarithmic axis
    assert flip_curve[0] == flip_curve[1] == flip_curve[2] < flip_curve[5] < flip_curve[4]


def test_stage_borders_lie_between_the_epochs(plotted):
    for axis in axes(plotted):
        (border,) = borders(axis)
        path = next(p for p in axis.iter(f"{SVG}path") if p.get("clip-path") and len(p.get("d").split()) == 18)  # fmt: skip
        at = [float(word) for word in path.get("d").split()[1::3]]
        assert border == pytest.approx((at[2] + at[3]) / 2, abs=1e-3)


def test_one_stage_has_no_border(tmp_path):
    plot_history(history(border=9), tmp_path / "history.svg")
    assert not any(borders(axis) for axis in axes(tmp_path / "history.svg"))


@pytest.mark.parametrize(("n", "suffix"), [(0, "svg"), (1, "png")])
def test_a_training_that_has_just_begun_can_be_plotted(tmp_path, n, suffix):
    plot_history(history(n), tmp_path / f"h.{suffix}")
    plot_comparison({"a": [history(n)], "b": [history(1)]}, tmp_path / f"c.{suffix}")
    assert (tmp_path / f"h.{suffix}").stat().st_size > 1000
    assert (tmp_path / f"c.{suffix}").stat().st_size > 1000


def test_a_png_is_an_image_with_colours(tmp_path):
    plot_history(history(), tmp_path / "history.png")
    with Image.open(tmp_path / "history.png") as image:
        assert image.size == (1200, 768)
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20) or []}
    assert (31, 119, 180) in colours  # the first of matplotlib's cycle


def test_the_same_history_makes_the_same_file(plotted, tmp_path):
    plot_history(history(), tmp_path / "again.svg", "mnist_tiny")
    assert (tmp_path / "again.svg").read_bytes() == plotted.read_bytes()


def test_a_comparison_shows_means_and_bands(tmp_path):
    off = [history(offset=0.01 * k) for k in (1, 2, 3)]
    paper = [history(offset=0.1)]
    plot_comparison({"off": off, "paper": paper}, tmp_path / "c.svg")
    loss, accuracy, *_ = axes(tmp_path / "c.svg")
    assert {"off (3 runs)", "paper"} <= set(texts(loss))
    assert "selection accuracy, %" in texts(accuracy)
    means = curves(accuracy, 6)
    assert len(means) == 2
    off_mean = history(offset=0.02).column("selection_accuracy")
    # What lies below the axes is clipped.
    np.testing.assert_allclose(rescaled(means[0][3:]), rescaled(off_mean[3:]), atol=1e-4)
    bands = [g for g in accuracy.iter(f"{SVG}g") if g.get("id", "").startswith("FillBetween")]
    assert len(bands) == 1  # one run alone has none


def test_mean_and_deviation_are_those_of_a_sample_over_common_epochs():
    runs = [history(5), history(4, offset=0.1), history(6, offset=0.5)]
    epochs, mean, deviation = mean_and_deviation(runs, "loss")
    assert list(epochs) == [1, 2, 3, 4]
    for epoch in range(1, 5):
        values = [2 / epoch, 2 / epoch + 0.1, 2 / epoch + 0.5]
        assert mean[epoch - 1] == pytest.approx(sum(values) / 3)
        squares = [(value - sum(values) / 3) ** 2 for value in values]
        assert deviation[epoch - 1] == pytest.approx((sum(squares) / 2) ** 0.5)


def test_one_run_has_no_deviation():
    _, mean, deviation = mean_and_deviation([history()], "loss")
    assert list(mean) == history().column("loss")
    assert not deviation.any()


def test_a_name_without_runs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'paper' has none"):
        plot_comparison({"off": [history()], "paper": []}, tmp_path / "c.svg")


@pytest.mark.parametrize("name", ["h.pdf", "h"])
def test_another_file_type_is_refused(tmp_path, name):
    with pytest.raises(OutputError, match="a plot cannot be written as") as caught:
        plot_history(history(), tmp_path / name)
    assert ".svg or .png" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_plot_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "h.svg"
    plot_history(history(3), path)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    with pytest.raises(OutputError, match="No space left on device"):
        plot_history(history(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["h.svg"]


def test_pyplot_and_its_global_state_stay_out():
    code = (
        "import sys, rbonn.sw.report.training_plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_plots_import_matplotlib():
    import rbonn.sw

    sources = Path(next(iter(rbonn.sw.__path__))).rglob("*.py")
    importing = [path.parent.name for path in sources if "import matplotlib" in path.read_text() or "from matplotlib" in path.read_text()]  # fmt: skip
    assert set(importing) == {"report"}
