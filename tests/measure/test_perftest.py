"""One piece at a time beside several at once: both ways are what they say, in turns, with the memory of each."""

import json
import mmap
from pathlib import Path

import pytest

import ossicle
from ossicle import DecodeOptions, EngineOptions, OptionError, SplitOptions, TranscribeOptions
from ossicle.measure.perftest import STAGES, measure_performance
from ossicle.measure.speed import peak_memory_mb, reset_peak_memory
from ossicle.model import machine as machines
from ossicle.options import SpeedOptions

HELDOUT = Path(__file__).parents[1] / "data" / "tiny_heldout"
FILES = [HELDOUT / "joined_05_en.opus", HELDOUT / "en_00.opus"]
ENGINE = EngineOptions("cpu", "float32")


@pytest.fixture(scope="module")
def found():
    told = []
    with pytest.MonkeyPatch.context() as patch, ossicle.load("tiny", ENGINE) as asr:
        patch.setattr(machines, "PROBE_BYTES", 2**22)
        patch.setattr(machines, "WIDTH", 64)
        asked, whole = [], asr.transcribe_many
        patch.setattr(asr, "transcribe_many", lambda sources, *, options: asked.append(
            (len(sources), options.decode.batch_size)) or whole(sources, options=options))
        options = TranscribeOptions(split=SplitOptions(max_seconds=5), decode=DecodeOptions(batch_size=4))
        report = measure_performance(asr, FILES, options, SpeedOptions(2, 1), ENGINE, on_run=lambda *told_of: told.append(told_of))
    return report, asked, told


def test_both_ways_take_turns(found):
    _, asked, told = found
    assert asked[:6] == [(1, 1), (1, 4), (1, 4), (1, 1), (1, 1), (1, 4)]
    assert asked[12:] == [(2, 1), (2, 4), (2, 4), (2, 1), (2, 1), (2, 4)]
    assert [way for _, way, _ in told[:4]] == ["sequential", "batched", "batched", "sequential"]


def test_every_stage_is_timed_and_the_rest_is_named(found):
    report, *_ = found
    first, second = report.files
    assert (first.file, first.num_chunks > 2, second.num_chunks) == ("joined_05_en.opus", True, 1)
    for way in (first.sequential, first.batched):
        assert list(way.stages) == [*STAGES, "other"]
        assert sum(spread.median for spread in way.stages.values()) == pytest.approx(way.total_s.median, rel=0.25)  # medians of two runs
        assert way.rtf == pytest.approx(way.total_s.median / first.audio_seconds)
        assert way.tokens > 20
    assert first.same_text
    assert first.speedup.min > 0


def test_all_files_are_handed_over_together_too(found):
    report, *_ = found
    assert report.together.audio_seconds == pytest.approx(sum(file.audio_seconds for file in report.files))
    assert report.together.sequential.stages == {}
    plain = json.loads(json.dumps(report.to_dict()))
    assert (plain["schema"], plain["batch_size"], plain["runs"]) == ("ossicle-perftest/1", 4, 2)


def test_a_peak_begins_anew():
    if not reset_peak_memory():
        pytest.skip("this system cannot")
    before = peak_memory_mb()
    with mmap.mmap(-1, 30_000_000) as block:                # of its own: the allocator may have room that counts already
        block.write(bytes(1) * len(block))
        high = peak_memory_mb()
    assert high > before + 20
    assert reset_peak_memory()
    assert peak_memory_mb() < high - 20


def test_a_batch_of_one_has_nothing_to_be_compared_with():
    with pytest.raises(OptionError, match="batch_size must be 2 or more"):
        measure_performance(None, FILES, TranscribeOptions(decode=DecodeOptions(batch_size=1)), SpeedOptions(), ENGINE)
