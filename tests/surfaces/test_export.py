"""`ossicle export`, and `transcribe` into several formats at once: what goes where, under which exit code."""

from dataclasses import replace

import pytest
import srt

from ossicle.formats.read import read_file
from ossicle.formats.registry import FORMATS
from ossicle.formats.schema import read_schema
from ossicle.formats.write import write_json, write_json_error
from ossicle.results import Transcript, Turn
from tests.formats.speech import spoken
from tests.talk import WHOLE

TALK = spoken("English", ("Anna", "Bob"))
EVERY_NAME = sorted(f"talk.{found.suffix}" for found in FORMATS.values())


@pytest.fixture(autouse=True)
def talk(tmp_path):
    (tmp_path / "talk.json").write_text(write_json(TALK), "utf-8")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_one_format_goes_to_stdout(ossicle):
    done = ossicle("export", "talk.json", "-f", "srt")
    assert (done.exit_code, done.stderr) == (0, "")
    assert len(list(srt.parse(done.stdout))) == 8
    assert ossicle("export", "talk.json", "-f", "json").stdout == write_json(TALK)
    assert ossicle("export", "talk.json", "-f", "jsonl").stdout.splitlines()[-1].startswith('{"kind": "done"')


def test_all_formats_go_to_a_folder(ossicle, tmp_path):
    done = ossicle("export", "talk.json", "-f", "all", "-o", "out")
    assert (done.exit_code, done.stdout) == (0, "")
    assert names(tmp_path / "out") == EVERY_NAME
    assert "wrote out/talk.txt, out/talk.json" in done.stderr


def test_what_is_exported_can_be_exported_again(ossicle, tmp_path):
    ossicle("export", "talk.json", "-f", "all", "-o", "out")
    for name in ("talk.json", "talk.jsonl"):
        assert ossicle("export", tmp_path / "out" / name, "-f", "srt").stdout == (tmp_path / "out/talk.srt").read_text("utf-8")
    for name in ("talk.srt", "talk.vtt", "talk.ass"):
        assert ossicle("export", tmp_path / "out" / name, "-f", "txt").exit_code == 0


def test_the_folder_of_the_transcript_keeps_it(ossicle, tmp_path):
    before = (tmp_path / "talk.json").read_bytes()
    done = ossicle("export", "talk.json", "-f", "all", "-o", ".", "--overwrite")
    assert done.exit_code == 0
    assert (tmp_path / "talk.json").read_bytes() == before
    assert names(tmp_path) == sorted(["config.toml", *EVERY_NAME])


def test_all_leaves_out_what_a_transcript_cannot_be_and_says_so(ossicle, tmp_path):
    (tmp_path / "talk.json").write_text(write_json(WHOLE), "utf-8")
    done = ossicle("export", "talk.json", "-f", "all", "-o", "out")
    assert done.exit_code == 0
    assert "talk.rttm" not in names(tmp_path / "out")
    assert "left out: rttm says who speaks when" in done.stderr
    done = ossicle("export", "talk.json", "-f", "rttm,srt", "-o", "two")
    assert (done.exit_code, names(tmp_path / "two")) == (1, ["talk.srt"])
    assert done.stderr == "ossicle: error: rttm says who speaks when, and this transcript does not: transcribe with --speakers\n"


def test_a_file_can_be_named_and_then_names_the_format(ossicle, tmp_path):
    assert ossicle("export", "talk.json", "-o", "film.srt").exit_code == 0
    assert ossicle("export", "talk.json", "-f", "audacity", "-o", "subs/film.labels.txt").exit_code == 0
    assert ossicle("export", "talk.json", "-o", "film.labels.txt").exit_code == 0
    assert (tmp_path / "film.labels.txt").read_text("utf-8") == (tmp_path / "subs/film.labels.txt").read_text("utf-8")
    assert (tmp_path / "film.srt").read_text("utf-8") == ossicle("export", "talk.json", "-f", "srt").stdout
    done = ossicle("export", "talk.json", "talk.json", "-o", "film.srt")
    assert (done.exit_code, "--output film.srt is one file, but there are 2 transcripts" in done.stderr) == (2, True)


def test_files_that_are_there_are_kept_unless_asked(ossicle, tmp_path):
    (tmp_path / "talk.srt").write_text("corrected by hand")
    done = ossicle("export", "talk.json", "-f", "srt,vtt", "-o", ".")
    assert (done.exit_code, (tmp_path / "talk.srt").read_text()) == (1, "corrected by hand")
    assert done.stderr == "ossicle: error: talk.srt is there already; --overwrite replaces it, another --output leaves it\n"
    assert not (tmp_path / "talk.vtt").exists()
    assert ossicle("export", "talk.json", "-o", "talk.srt").exit_code == 1
    assert ossicle("export", "talk.json", "-f", "srt", "-o", ".", "--overwrite").exit_code == 0
    assert "Good evening" in (tmp_path / "talk.srt").read_text("utf-8")


def test_one_bad_file_does_not_stop_the_others(ossicle, tmp_path):
    (tmp_path / "bad.json").write_text("{")
    done = ossicle("export", "none.json", "bad.json", "talk.json", "-f", "txt")
    assert (done.exit_code, done.stdout) == (1, ossicle("export", "talk.json", "-f", "txt").stdout)
    assert done.stdout.startswith("Anna: Good evening")
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == [" error", " error"]


def test_a_file_of_several_recordings_gives_a_file_for_each(ossicle, tmp_path):
    other = replace(WHOLE, source="other.wav")
    entries = [write_json(TALK), write_json_error(ValueError("no sound"), "broken.wav"), write_json(other)]
    (tmp_path / "all.json").write_text(f"[{','.join(entries)}]", "utf-8")
    done = ossicle("export", "all.json", "-f", "txt", "-o", "out")
    assert (done.exit_code, names(tmp_path / "out")) == (1, ["English talk.txt", "other.txt"])
    assert done.stderr.splitlines()[1] == "ossicle: error: broken.wav holds no transcript of broken.wav: no sound"


def test_standard_input_is_read_once(ossicle):
    done = ossicle("export", "-", "-f", "txt", input=write_json(TALK))
    assert (done.exit_code, done.stdout.startswith("Anna: Good evening")) == (0, True)
    assert ossicle("export", "-", "-", "-f", "txt", input="").exit_code == 2


@pytest.mark.parametrize(("arguments", "message"), [
    (("-f", "sr"), "--format must be one or several of txt, json"), ((), "say which format: --format with one or several of"),
    (("-f", "srt,vtt"), "several formats need a folder: give --output DIR"), (("-o", "folder"), "say which format"),
    (("-f", "srt", "--min-duration", "9"), "--min-duration must be at most --max-duration (7 s), got 9"),
    (("-f", "srt", "--max-line-width", "2"), "--max-line-width must be between 4 and 1000 columns, got 2"),
    (("-f", "srt", "--preset", "netflx"), "netflx")])
def test_what_cannot_be_done_is_said_before_anything_is_written(ossicle, tmp_path, arguments, message):
    done = ossicle("export", "talk.json", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert names(tmp_path) == ["config.toml", "talk.json"]


def test_every_flag_of_cues_reaches_them(ossicle):
    def cues(*arguments):
        return list(srt.parse(ossicle("export", "talk.json", "-f", "srt", *arguments, catch_exceptions=False).stdout))
    assert max(len(line) for cue in cues("--max-line-width", "20") for line in cue.content.split("\n")) <= 20
    assert all("\n" not in cue.content for cue in cues("--max-lines", "1"))
    for cue in cues("--max-words", "3", "--no-speaker-labels"):
        assert sum(any(map(str.isalnum, word)) for word in cue.content.split()) <= 3
    assert all((cue.end - cue.start).total_seconds() <= 2 for cue in cues("--max-duration", "2"))
    assert len(cues("--max-gap", "0.05")) > len(cues())
    assert cues("--min-duration", "3")[0].end > cues()[0].end
    assert cues("--max-cps", "8")[0].end > cues()[0].end
    assert any("Anna:" in cue.content for cue in cues())
    assert not any("Anna:" in cue.content for cue in cues("--no-speaker-labels"))
    assert "<00:00:" in ossicle("export", "talk.json", "-f", "vtt", "--word-times").stdout
    assert "<00:00:" in ossicle("export", "talk.json", "-f", "vtt", "--preset", "karaoke").stdout
    assert "<00:00:" not in ossicle("export", "talk.json", "-f", "vtt", "--preset", "karaoke", "--no-word-times").stdout


def test_limits_of_the_configuration_file_count_but_not_its_format_and_output(ossicle, tmp_path):
    (tmp_path / "config.toml").write_text('max_lines = 1\nformat = "json"\noutput = "elsewhere"\n')
    done = ossicle("export", "talk.json", "-f", "srt")
    assert all("\n" not in cue.content for cue in srt.parse(done.stdout))
    assert not (tmp_path / "elsewhere").exists()


def test_the_schema_can_be_printed(ossicle):
    assert ossicle("export", "--schema").stdout == read_schema()


def test_transcribe_writes_several_formats_side_by_side(ossicle, recogniser, talks, tmp_path):
    recogniser.answer = lambda source: replace(WHOLE, turns=(Turn(0.0, 1.0, "A"),))
    done = ossicle("transcribe", "talk.wav", "other.wav", "-o", "out", "-f", "srt, VTT,json")
    assert done.exit_code == 0
    assert names(tmp_path / "out") == ["other.json", "other.srt", "other.vtt", "talk.json", "talk.srt", "talk.vtt"]
    assert isinstance(read_file(tmp_path / "out/talk.json")[0], Transcript)
    assert ossicle("transcribe", "talk.wav", "-o", "every", "-f", "all").exit_code == 0
    assert names(tmp_path / "every") == EVERY_NAME


def test_transcribe_refuses_several_formats_on_stdout_before_work(ossicle, recogniser, talks):
    done = ossicle("transcribe", "talk.wav", "-f", "srt,vtt")
    assert (done.exit_code, recogniser.asked) == (2, [])
    assert "several formats need a folder" in done.stderr


def test_transcribe_keeps_the_file_of_one_format_and_so_all(ossicle, recogniser, talks, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/talk.vtt").write_text("corrected by hand")
    done = ossicle("transcribe", "talk.wav", "other.wav", "-o", "out", "-f", "srt,vtt")
    assert (done.exit_code, [source for source, _ in recogniser.asked]) == (1, ["other.wav"])
    assert names(tmp_path / "out") == ["other.srt", "other.vtt", "talk.vtt"]


def test_several_srt_on_stdout_stand_under_their_names(ossicle, recogniser, talks):
    done = ossicle("transcribe", "talk.wav", "other.wav", "-f", "srt")
    assert done.stdout.startswith("==> talk.wav <==\n1\n00:00:00,000 --> ")
    assert "\n==> other.wav <==\n1\n" in done.stdout


def test_no_two_results_share_a_name(ossicle, recogniser, tmp_path):
    for name in ("talk.wav", "talk.labels.wav"):
        (tmp_path / name).write_bytes(b"sound")
    done = ossicle("transcribe", "talk.wav", "talk.labels.wav", "-o", "out", "-f", "txt,audacity")
    assert done.exit_code == 2
    assert "two results would be out/talk.labels.txt" in done.stderr
