"""The command line over the bundled model and its recordings: real sound in, real words out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "ossicle" / "models" / "tiny"
SAMPLES = TINY / "samples"
pytestmark = pytest.mark.skipif(not (TINY / "config.json").is_file(), reason="the bundled model is not part of this checkout")


@pytest.fixture(scope="module")
def said():
    """What is spoken in each sample, by the stem of its file."""
    return {Path(entry["file"]).stem: entry["text"] for entry in json.loads((SAMPLES / "transcripts.json").read_text("utf-8"))}


def one_sentence(language):
    return next(iter(sorted(SAMPLES.glob(f"{language}.*"))))


def test_a_sample_is_transcribed(ossicle, said):
    sample = one_sentence("english")
    done = ossicle("transcribe", sample, "--model", "tiny")
    assert done.exit_code == 0
    assert done.stdout == said[sample.stem] + "\n"
    assert f"{sample}: English, " in done.stderr


def test_json_with_tokens_tells_every_fact(ossicle):
    done = ossicle("transcribe", one_sentence("german"), "-m", "tiny", "-f", "json", "--tokens", "-q")
    found = json.loads(done.stdout)
    chunk, = found["chunks"]
    assert (found["schema"], found["language"], found["stopped_by"], found["truncated"]) == ("ossicle-transcript/1", "German", "eos", False)
    assert chunk["num_tokens"] == len(chunk["tokens"]) > 5
    assert set(chunk["tokens"][0]) == {"id", "text", "logprob"}
    assert chunk["text"] in "".join(token["text"] for token in chunk["tokens"])
    assert "".join(segment["text"] for segment in found["segments"]) == found["text"]
    assert found["coverage"]["ratio"] == 1.0
    assert found["model"]["name"] == "tiny"


def test_several_languages_one_broken_file_and_a_folder(ossicle, tmp_path):
    (tmp_path / "notes.txt").write_text("this is text")
    done = ossicle("transcribe", one_sentence("english"), "notes.txt", one_sentence("chinese"), "-m", "tiny", "-o", "out", "-f", "json")
    assert done.exit_code == 1
    languages = {json.loads(path.read_text("utf-8"))["language"] for path in (tmp_path / "out").iterdir()}
    assert languages == {"English", "Chinese"}
    assert "ossicle: error:" in done.stderr
    assert "notes.txt" in done.stderr


def test_a_part_can_be_asked_for(ossicle):
    done = ossicle("transcribe", one_sentence("english"), "-m", "tiny", "--start", "0:00.5", "--end", "1.5", "-f", "json", "-q")
    found = json.loads(done.stdout)
    assert (found["duration"], found["chunks"][0]["start"]) == (pytest.approx(1.0), pytest.approx(0.5))


def test_a_budget_that_ends_early_is_told_and_strict_counts_it(ossicle):
    arguments = ("transcribe", one_sentence("english"), "-m", "tiny", "--max-tokens", "4", "--retries", "0")
    done = ossicle(*arguments)
    assert (done.exit_code, "ossicle: warning:" in done.stderr) == (0, True)
    assert ossicle(*arguments, "--strict").exit_code == 1


def test_reference_mode_reads_one_sentence_alike(ossicle):
    sample = one_sentence("english")
    plain, reference = (ossicle("transcribe", sample, "-m", "tiny", "-q", *more).stdout for more in ([], ["--reference"]))
    assert plain == reference


def test_a_language_that_the_checkpoint_does_not_know_is_a_wrong_command(ossicle):
    done = ossicle("transcribe", one_sentence("english"), "-m", "tiny", "-l", "Finnish")
    assert (done.exit_code, "must be one that this checkpoint knows" in done.stderr) == (2, True)


def test_standard_input_takes_a_container_and_raw_samples(tmp_path):
    import soundfile

    sample = one_sentence("english")
    samples, rate = soundfile.read(sample, dtype="int16")
    plain, container, raw = (
        _program("transcribe", source, "-m", "tiny", "-q", *more, stdin=stdin) for source, stdin, more in [
            (str(sample), b"", []), ("-", sample.read_bytes(), []),
            ("-", samples.tobytes(), ["--raw", "s16le", "--rate", str(rate)])])
    assert plain.returncode == container.returncode == raw.returncode == 0
    assert plain.stdout == container.stdout == raw.stdout != b""


def test_the_program_ends_well_and_reads_as_documented():
    done = _program("transcribe", str(one_sentence("english")), "--model", "tiny")
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 1)
    assert b"terminate" not in done.stderr


def _program(*arguments, stdin=b""):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "ossicle", *arguments], input=stdin, capture_output=True, env=environment, timeout=120,
                          check=False)
