"""Reports to a picture: which points, what is refused, and that something is drawn where they are."""

import pytest

from ossicle.errors import OptionError
from ossicle.measure.figure import COLOURS, Point, draw, points_of, task_of
from ossicle.measure.stored import read_stored_report


def total(rate, primary="wer", interval=(0.01, 0.04)):
    return {"primary": primary, "interval": interval, **{metric: {"rate": rate} for metric in ("wer", "cer", "mer")}}


def report(**changes):
    plain = {
        "schema": "ossicle-eval-live/1",
        "manifest": {"hash": "abc", "name": "test-clean", "items": 2},
        "method": {"normaliser": {"name": "whisper", "version": "0.1.15"}},
        "model": {"name": "Qwen/Qwen3-ASR-0.6B", "device": "Apple M4 (gpu)", "weights": "8-bit, groups of 64"},
        "machine": {"processor": "Apple M4"},
        "conditions": {"engine": None},
        "modes": {"single-shot": {"total": total(0.02), "rtf": 0.03}, "per-utterance": {"total": total(0.025, interval=None), "rtf": 0.1}},
    }
    return plain | changes


def test_each_mode_is_a_point():
    assert points_of(report()) == [
        Point("Apple M4", "Qwen3-ASR-0.6B 8-bit", "single-shot", 0.02, (0.01, 0.04), 0.03),
        Point("Apple M4", "Qwen3-ASR-0.6B 8-bit", "per-utterance", 0.025, None, 0.1)]
    assert [point.is_live for point in points_of(report())] == [False, True]
    assert points_of(report(), "my laptop")[0].machine == "my laptop"
    assert points_of(report(machine={"processor": "EPYC"}))[0].machine == "EPYC, Apple M4"


def test_a_report_of_whole_recordings_is_one_point():
    whole = report(schema="ossicle-eval/1", total=total(0.03), speed={"rtf": 0.5})
    assert [(point.mode, point.rate, point.rtf) for point in points_of(whole)] == [("single-shot", 0.03, 0.5)]


def test_what_has_no_rate_or_no_speed_is_left_out():
    modes = {"per-utterance": {"total": total(None), "rtf": 0.1}, "single-shot": {"total": total(0.1), "rtf": None}}
    assert points_of(report(modes=modes)) == []


def test_another_report_is_refused(tmp_path):
    with pytest.raises(OptionError, match="ossicle-bench"):
        points_of(report(schema="ossicle-bench/1"))
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(OptionError, match="ossicle-eval-live/1"):
        read_stored_report(tmp_path / "r.json", "ossicle-eval-live/1", "ossicle eval", "report")


def test_what_can_be_compared_has_the_same_task():
    assert task_of(report()) == ("abc", "whisper 0.1.15", "WER")
    assert task_of(report()) != task_of(report(manifest={"hash": "def"}))


def test_a_picture_shows_its_points(tmp_path):
    pytest.importorskip("matplotlib")
    import numpy as np
    from matplotlib.image import imread

    points = [*points_of(report(), "one"), *points_of(report(modes={"chapter-grouped": {"total": total(0.05), "rtf": 2.0}}), "two")]
    draw(points, tmp_path / "few.png", "test-clean", "WER")
    draw(points[:2], tmp_path / "fewer.png", "test-clean", "WER")

    def has(file, colour):
        wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        return (np.abs(imread(tmp_path / file)[:, :, :3] - wanted).max(-1) < 0.02).sum() > 50

    assert [has("few.png", COLOURS[place]) for place in range(3)] == [True, True, False]
    assert [has("fewer.png", COLOURS[place]) for place in range(3)] == [True, False, False]
    draw(points, tmp_path / "few.svg", "test-clean", "WER")
    assert "<svg" in (tmp_path / "few.svg").read_text()
    with pytest.raises(OptionError, match="cannot write"):
        draw(points, tmp_path / "nowhere" / "few.png", "x", "WER")
