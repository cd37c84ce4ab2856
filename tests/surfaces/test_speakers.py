"""Speakers on the command line: flags to options, complaints before any model is loaded, labels in what comes out."""

import json

import pytest
import soundfile

from ossicle.options import SourceOptions, SpeakerOptions
from ossicle.surfaces.cli import speakers as speakers_flags
from tests.two_voices import RATE, two_voices


@pytest.fixture
def spoken(tmp_path):
    """A talk of two voices as talk.wav, in stereo, and talk.rttm."""
    spoken = two_voices(0.5)
    soundfile.write(tmp_path / "talk.wav", spoken.channels, RATE, subtype="FLOAT")
    (tmp_path / "talk.rttm").write_text(spoken.rttm())
    return spoken


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(speakers_flags, "_is_installed", lambda module: True)


def test_every_flag_reaches_the_options(ossicle, recogniser, talks, installed):
    ossicle("transcribe", "talk.wav", "--speakers", "pyannote", "--min-speakers", 2, "--max-speakers", 4, "--speaker-names", "0=Ann, 1=Bo",
            "--diarize-device", "cpu", "--diarize-model", "someone/pipeline", "--offline", "--cache-dir", "models", "--revision", "v2")
    (_, options), = recogniser.asked
    assert options.speakers == SpeakerOptions(
        "pyannote", min_speakers=2, max_speakers=4, names={"0": "Ann", "1": "Bo"}, device="cpu", model="someone/pipeline",
        download=SourceOptions(offline=True, cache_dir="models"))       # the revision is one of the recogniser's


def test_nobody_asks_for_speakers_by_default(ossicle, recogniser, talks):
    ossicle("transcribe", "talk.wav")
    (_, options), = recogniser.asked
    assert options.speakers == SpeakerOptions()


@pytest.mark.parametrize(("arguments", "said"), [
    (["--speakers", "sherpaa"], "--speakers must be one of none, sherpa, pyannote, channels, an RTTM file"),
    (["--speakers", "none.rttm"], "--speakers must be an RTTM file or a folder of them that is there, got none.rttm"),
    (["--num-speakers", "2"], "--num-speakers needs speakers: say who is to tell them apart, as in --speakers sherpa"),
    (["--speaker-names", "0=Ann"], "--speaker-names needs speakers"),
    (["--speakers", "channels", "--speaker-names", "Ann"], "--speaker-names must be pairs parted by commas, as in 0=Ann,1=Bo; got 'Ann'"),
    (["--speakers", "channels", "--speaker-names", "0=Ann,0=Bo"], "--speaker-names must name each speaker once, got 0 twice"),
    (["--speakers", "sherpa", "--num-speakers", "0"], "--num-speakers must be between 1 and 100, got 0"),
    (["--speakers", "sherpa", "--num-speakers", "2", "--max-speakers", "3"], "--num-speakers is an exact number"),
    (["--speakers", "sherpa", "--min-speakers", "4", "--max-speakers", "3"], "--min-speakers must be at most max_speakers (3), got 4"),
    (["--speakers", "channels", "--num-speakers", "2"], "--num-speakers is for sherpa and pyannote; channels itself says who speaks"),
    (["--speakers", "sherpa", "--diarize-device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'cuda', 'mps'"),
])
def test_what_is_not_possible_is_said_before_any_work(ossicle, recogniser, talks, installed, arguments, said):
    done = ossicle("transcribe", "talk.wav", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert recogniser.asked == []


@pytest.mark.parametrize(("source", "extra"), [("sherpa", "diarize"), ("pyannote", "pyannote")])
def test_a_library_that_is_not_installed_is_named_with_its_install_line(ossicle, recogniser, talks, monkeypatch, source, extra):
    monkeypatch.setattr(speakers_flags, "_is_installed", lambda module: False)
    done = ossicle("transcribe", "talk.wav", "--speakers", source)
    assert done.exit_code != 0
    assert f'pip install "ossicle[{extra}]"' in done.stderr
    assert recogniser.asked == []


def test_a_module_of_a_package_that_is_not_there_is_not_installed():
    assert not speakers_flags._is_installed("no_such_package.part")
    assert speakers_flags._is_installed("json.decoder")


def test_the_text_says_who_speaks(ossicle, spoken):
    done = ossicle("transcribe", "talk.wav", "-m", "tiny", "--speakers", "talk.rttm", "-q")
    assert done.exit_code == 0, done.stderr
    paragraphs = done.stdout.rstrip("\n").split("\n\n")
    assert paragraphs[1] == "Bo: What time is it in Tokyo?"
    assert [paragraph.partition(": ")[0] for paragraph in paragraphs] == ["Ann", "Bo"] * 4


def test_json_has_speakers_of_words_and_segments_and_the_turns(ossicle, spoken):
    done = ossicle("transcribe", "talk.wav", "-m", "tiny", "--speakers", "channels", "--speaker-names", "0=Ann,1=Bo", "-q", "-f", "json")
    found = json.loads(done.stdout)
    assert tuple(word["speaker"] for segment in found["segments"] for word in segment["words"]) == spoken.speakers
    assert [segment["speaker"] for segment in found["segments"]] == ["Ann", "Bo"] * 4
    assert {turn["speaker"] for turn in found["turns"]} == {"Ann", "Bo"}


@pytest.mark.parametrize("name", ["srt", "vtt", "ass", "csv", "md", "rttm", "stm", "textgrid", "audacity", "jsonl"])
def test_every_format_that_can_names_the_speakers(ossicle, spoken, name):
    done = ossicle("transcribe", "talk.wav", "-m", "tiny", "--speakers", "talk.rttm", "-q", "-f", name)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("Ann") >= 4
    assert done.stdout.count("Bo") >= 4
