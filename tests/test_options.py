"""Settings refuse what is not possible, and say which, why and what came."""

import math
from pathlib import Path

import pytest

from ossicle.errors import OptionError
from ossicle.options import (
    AudioOptions,
    CueOptions,
    DecodeOptions,
    EngineOptions,
    SegmentOptions,
    SpeakerOptions,
    SpeedOptions,
    SplitOptions,
    TranscribeOptions,
    read_names,
)

WRONG = [
    (AudioOptions, {"raw_format": "s24le", "rate": 16000}, "raw_format must be one of none, s16le, f32le; got 's24le'"),
    (AudioOptions, {"raw_format": "s16le"}, "raw_format needs rate"),
    (AudioOptions, {"rate": 0}, "rate must be between 1 and 768000 Hz, got 0"),
    (AudioOptions, {"start_seconds": -1}, "start_seconds must be at least 0, got -1"),
    (AudioOptions, {"start_seconds": 5, "end_seconds": 5}, "end_seconds must be later than start_seconds (5), got 5"),
    (AudioOptions, {"track": -1}, "track must be at least 0"),
    (SplitOptions, {"max_seconds": 0.5}, "max_seconds must be between 1 and 1200 s, got 0.5"),
    (SplitOptions, {"max_seconds": math.nan}, "max_seconds must be between 1 and 1200 s, got nan"),
    (DecodeOptions, {"max_tokens": 0}, "max_tokens must be between 1 and 65536, got 0"),
    (DecodeOptions, {"temperature": -0.1}, "temperature must be between 0 and 10"),
    (DecodeOptions, {"batch_size": 0}, "batch_size must be between 1 and 256"),
    (DecodeOptions, {"max_tokens": "9"}, "max_tokens must be a whole number, got '9'"),
    (DecodeOptions, {"seed": 1.5}, "seed must be a whole number, got 1.5"),
    (SplitOptions, {"max_seconds": "30"}, "max_seconds must be a number, got '30'"),
    (AudioOptions, {"start_seconds": "1"}, "start_seconds must be a number, got '1'"),
    (TranscribeOptions, {"retries": 9}, "retries must be between 0 and 8"),
    (EngineOptions, {"engine": "gpu"}, "engine must be one of auto, mlx, cpu; got 'gpu'"),
    (EngineOptions, {"dtype": "int8"}, "dtype must be one of auto, float32, float16, bfloat16; got 'int8'"),
    (EngineOptions, {"bits": 7}, "bits must be one of auto, none, 2, 3, 4, 5, 6, 8; got 7"),
    (EngineOptions, {"bits": "none"}, "bits must be one of auto, none, 2, 3, 4, 5, 6, 8; got 'none'"),
    (EngineOptions, {"encoder_bits": 4}, "encoder_bits must be one of auto, none, 8; got 4"),
    (EngineOptions, {"threads": 0}, "threads must be between 1 and 256, got 0"),
    (EngineOptions, {"threads": 257}, "threads must be between 1 and 256, got 257"),
    (EngineOptions, {"threads": 2.0}, "threads must be a whole number, got 2.0"),
    (EngineOptions, {"kv_dtype": "int8"}, "kv_dtype must be one of auto, float16, float32; got 'int8'"),
    (EngineOptions, {"group_size": 48}, "group_size must be one of 32, 64, 128; got 48"),
    (CueOptions, {"max_line_width": 3}, "max_line_width must be between 4 and 1000 columns, got 3"),
    (CueOptions, {"max_lines": 1.5}, "max_lines must be a whole number, got 1.5"),
    (CueOptions, {"max_words": 0}, "max_words must be between 1 and 1000, got 0"),
    (CueOptions, {"max_cps": math.nan}, "max_cps must be between 1 and 1000, got nan"),
    (CueOptions, {"max_gap": -1}, "max_gap must be between 0 and 3600 s, got -1"),
    (CueOptions, {"min_duration": 8}, "min_duration must be at most max_duration (7 s), got 8"),
    (SpeakerOptions, {"source": "sherpaa"}, "speakers must be one of none, sherpa, pyannote, channels, an RTTM file (talk.rttm)"),
    (SpeakerOptions, {"num_speakers": 0}, "num_speakers must be between 1 and 100, got 0"),
    (SpeakerOptions, {"num_speakers": 2.0}, "num_speakers must be a whole number, got 2.0"),
    (SpeakerOptions, {"num_speakers": 2, "min_speakers": 1}, "num_speakers is an exact number"),
    (SpeakerOptions, {"min_speakers": 3, "max_speakers": 2}, "min_speakers must be at most max_speakers (2), got 3"),
    (SpeakerOptions, {"source": "talk.rttm", "max_speakers": 2}, "max_speakers is for sherpa and pyannote; talk.rttm itself says"),
    (SpeakerOptions, {"names": {"0": " "}}, "speaker_names must be pairs as 0=Ann"),
    (SpeakerOptions, {"names": {"0": "A\nB"}}, "in printable characters, got '0'='A\\nB'"),
    (SpeakerOptions, {"device": "tpu"}, "device must be one of auto, cpu, cuda, mps; got 'tpu'"),
    (SpeakerOptions, {"threshold": 3}, "threshold must be between 0 and 2, got 3"),
    (SegmentOptions, {"pause_seconds": 0}, "pause_seconds must be between 0.1 and 60 s, got 0"),
    (SegmentOptions, {"max_seconds": 0.5}, "max_seconds must be between 1 and 1200 s, got 0.5"),
    (SpeedOptions, {"runs": 0}, "runs must be between 1 and 1000, got 0"),
    (SpeedOptions, {"warmup": -1}, "warmup must be between 0 and 1000, got -1"),
    (SpeedOptions, {"new_tokens": 0}, "new_tokens must be between 1 and 65536, got 0"),
]


@pytest.mark.parametrize(("options", "given", "message"), WRONG, ids=[message[:30] for *_, message in WRONG])
def test_an_impossible_value_is_named_with_its_rule(options, given, message):
    with pytest.raises(OptionError) as caught:
        options(**given)
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_shorter_chunk_needs_no_other_setting():
    assert SplitOptions(max_seconds=5).max_seconds == 5


@pytest.mark.parametrize(("seconds", "budget"), [(0.3, 64), (3.0, 64), (10.0, 176), (30.0, 496), (1200.0, 19_216)])
def test_the_budget_follows_the_duration(seconds, budget):
    assert DecodeOptions().budget(seconds) == budget


def test_an_explicit_budget_stands_alone():
    assert DecodeOptions(max_tokens=5).budget(1000) == 5


@pytest.mark.parametrize(("text", "names"), [
    ("0=Ann,1=Bo", {"0": "Ann", "1": "Bo"}), (" SPEAKER_00 = Ann Lee , ", {"SPEAKER_00": "Ann Lee"}), ("", {}), ("A=B=C", {"A": "B=C"})])
def test_speaker_names_are_read(text, names):
    assert read_names(text) == names


@pytest.mark.parametrize("text", ["Ann", "=Ann", "0=", "0=Ann,1", "0=Ann,0=Bo"])
def test_speaker_names_that_are_none_are_refused(text):
    with pytest.raises(OptionError, match="speaker_names must"):
        read_names(text)


@pytest.mark.parametrize("source", ["talk.rttm", "TALK.RTTM", "rttm/", "./rttm", Path("rttm")])
def test_a_file_or_folder_of_turns_is_told_from_a_word(source):
    assert SpeakerOptions(source).is_file
    assert SpeakerOptions(source).is_wanted
    assert not SpeakerOptions("channels").is_file


def test_a_token_is_never_shown():
    assert "hf_secret" not in repr(TranscribeOptions(speakers=SpeakerOptions("pyannote", token="hf_secret")))
