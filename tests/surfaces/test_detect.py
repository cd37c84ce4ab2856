"""`ossicle detect`, `ossicle glossary` and the flags of languages: what goes where, under which exit code."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from ossicle.errors import AudioError
from ossicle.results import Detection, LanguageGuess
from ossicle.surfaces.cli import detect
from tests.talk import FACTS

SAMPLES = Path(str(files("ossicle") / "models" / "tiny" / "samples"))


class Listener:
    """Hears English in everything but what is broken; remembers what it was asked."""

    facts = FACTS

    def __init__(self):
        self.asked, self.is_closed = [], False

    def detect(self, source, *, options):
        self.asked.append((source, options))
        if "broken" in source:
            raise AudioError(f"expected sound in {source}, got noise")
        overall = LanguageGuess(0.0, 9.0, "English", {"English": 0.75, "German": 0.2, "Chinese": 0.0001}, 0.0499)
        chunks = (LanguageGuess(0.0, 4.0, "English", {"English": 0.9, "German": 0.1}, 0.0),
                  LanguageGuess(4.0, 9.0, None, {"English": 0.3, "German": 0.1}, 0.6))
        return Detection(overall, chunks, 9.0, source, FACTS, ("the end is damaged",) if "odd" in source else ())

    def close(self):
        self.is_closed = True


@pytest.fixture
def listener(monkeypatch):
    opened = Listener()
    monkeypatch.setattr(detect, "open_recognizer", lambda *_: opened)
    return opened


def test_a_table_has_the_languages_by_probability(ossicle, listener):
    done = ossicle("detect", "talk.wav")
    assert (done.exit_code, done.stdout) == (0, (
        "LANGUAGE   PROBABILITY\nEnglish    75.0%\nGerman     20.0%\nno speech  5.0%\n"))
    assert listener.is_closed
    assert listener.asked[0][1].max_chunks == 8


def test_all_chunks_listens_to_everything_and_shows_each_piece(ossicle, listener):
    done = ossicle("detect", "talk.wav", "--all-chunks")
    assert done.stdout.split("\n\n")[1] == (
        "START  END    LANGUAGE   PROBABILITY  NEXT\n0.0 s  4.0 s  English    90.0%        German 10.0%\n"
        "4.0 s  9.0 s  no speech  60.0%        English 30.0% German 10.0%\n")
    assert listener.asked[0][1].max_chunks is None


def test_flags_reach_the_options(ossicle, listener):
    ossicle("detect", "talk.wav", "--languages", "en, de", "--start", "1:00", "--end", "90", "--batch-size", "2", "--chunk-seconds", "12")
    options = listener.asked[0][1]
    assert (options.languages, options.batch_size, options.split.max_seconds) == (("en", "de"), 2, 12)
    assert (options.audio.start_seconds, options.audio.end_seconds) == (60, 90)


def test_json_has_everything_and_one_bad_file_does_not_stop_the_others(ossicle, listener):
    done = ossicle("detect", "broken.wav", "odd.wav", "-f", "json")
    failed, found = json.loads(done.stdout)
    assert (done.exit_code, failed["error"]["kind"]) == (1, "AudioError")
    assert found["overall"]["probabilities"] == {"English": 0.75, "German": 0.2, "Chinese": 0.0001}
    assert [chunk["language"] for chunk in found["chunks"]] == ["English", None]
    assert "ossicle: error: expected sound in broken.wav, got noise" in done.stderr
    assert "ossicle: warning: odd.wav: the end is damaged" in done.stderr
    assert json.loads(ossicle("detect", "talk.wav", "-f", "json").stdout)["source"] == "talk.wav"


def test_several_tables_stand_under_their_names(ossicle, listener):
    lines = ossicle("detect", "a.wav", "b.wav").stdout.splitlines()
    assert [line for line in lines if "==>" in line] == ["==> a.wav <==", "==> b.wav <=="]


@pytest.mark.parametrize(("arguments", "message"), [
    (("talk.wav", "--languages", "englsh"), "did you mean English"),
    (("talk.wav", "--languages", "fr", "-m", "tiny"), "one that this checkpoint knows (Chinese, English, German)"),
    (("talk.wav", "--start", "5", "--end", "3"), "--end must be later than --start"),
    (("-", "-"), "'-' may stand once"),
])
def test_what_cannot_be_done_is_said_before_anything_is_loaded(ossicle, listener, arguments, message):
    done = ossicle("detect", *arguments)
    assert (done.exit_code, listener.asked) == (2, [])
    assert message in done.stderr


def test_a_choice_on_the_command_line_goes_before_a_language_in_the_file(ossicle, recogniser, talks, tmp_path):
    (tmp_path / "config.toml").write_text('language = "de"\n')
    assert ossicle("transcribe", "talk.wav", "--languages", "en,zh").exit_code == 0
    assert (recogniser.asked[-1][1].language, recogniser.asked[-1][1].languages) == (None, ("en", "zh"))
    (tmp_path / "config.toml").write_text('languages = "en,zh"\n')
    ossicle("transcribe", "talk.wav", "--language", "de")
    assert (recogniser.asked[-1][1].language, recogniser.asked[-1][1].languages) == ("de", ())
    ossicle("transcribe", "talk.wav", "--languages", "auto")
    assert (recogniser.asked[-1][1].language, recogniser.asked[-1][1].languages) == (None, ())
    done = ossicle("transcribe", "talk.wav", "--language", "de", "--languages", "en,zh")
    assert done.exit_code == 2
    assert "--languages is a choice to hear from and language forces one" in done.stderr


def test_guards_are_on_unless_taken_off(ossicle, recogniser, talks):
    ossicle("transcribe", "talk.wav")
    ossicle("transcribe", "talk.wav", "--no-smooth-languages", "--no-echo-guard")
    assert [(options.smooth_languages, options.echo_guard) for _, options in recogniser.asked] == [(True, True), (False, False)]


GLOSSARY = "# names\nAnne: Ann\nHenry\nsmall => little\nlittle => tiny\n"


def test_a_glossary_is_read_before_anything_is_loaded(ossicle, recogniser, talks, tmp_path):
    (tmp_path / "names.txt").write_text(GLOSSARY, "utf-8")
    ossicle("transcribe", "talk.wav", "--glossary", "names.txt")
    assert [term.text for term in recogniser.asked[0][1].glossary.terms] == ["Anne", "Henry"]
    (tmp_path / "names.txt").write_text("Anne:\n", "utf-8")
    done = ossicle("transcribe", "talk.wav", "--glossary", "names.txt")
    assert (done.exit_code, len(recogniser.asked)) == (2, 1)
    assert "error: names.txt: line 1: expected 'term: sounds like" in done.stderr


def test_checking_a_glossary_shows_what_is_in_it(ossicle, tmp_path):
    (tmp_path / "names.txt").write_text(GLOSSARY, "utf-8")
    done = ossicle("glossary", "check", "names.txt", "-m", "tiny")
    assert (done.exit_code, done.stdout) == (0, (
        "LINE  WRITTEN  WHERE THE MODEL WROTE\n2     Anne     Ann\n3     Henry\n4     little   small\n5     tiny     little\n"))
    assert "names.txt: 2 terms for the context, 3 forms written otherwise" in done.stderr
    assert "'small' becomes 'little', which itself is replaced" in done.stderr
    found = json.loads(ossicle("glossary", "check", "names.txt", "-m", "tiny", "--json").stdout)
    assert (found["terms"][0], found["left_out"]) == ({"text": "Anne", "sounds_like": ["Ann"], "line": 2}, [])


def test_checking_names_terms_without_room_and_a_model_that_is_not_here(ossicle, tmp_path):
    (tmp_path / "long.txt").write_text("\n".join(f"name{place}" for place in range(900)), "utf-8")
    assert "terms find no room in the context of tiny" in ossicle("glossary", "check", "long.txt", "-m", "tiny").stderr
    assert "0.6b is not on this machine" in ossicle("glossary", "check", "long.txt", "-m", "0.6b").stderr
    (tmp_path / "long.txt").write_text("a =>\nb =>", "utf-8")
    done = ossicle("glossary", "check", "long.txt")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "line 1:" in done.stderr
    assert "line 2:" in done.stderr


def test_a_real_recording_is_detected_and_a_real_glossary_applied(ossicle, tmp_path):
    found = json.loads(ossicle("detect", SAMPLES / "german.flac", "-m", "tiny", "-f", "json", "-q").stdout)
    assert (found["overall"]["language"], found["overall"]["probability"] > 0.99) == ("German", True)
    (tmp_path / "names.txt").write_text("Anne: Ann\nsmall => little\n", "utf-8")
    done = ossicle("transcribe", SAMPLES / "english.wav", "-m", "tiny", "--glossary", "names.txt")
    assert done.stdout == "Henry saw a little tree near Berlin.\n"
    assert "1 by the glossary" in done.stderr
