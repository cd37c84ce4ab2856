"""`ossicle transcribe` over a recogniser that answers at once: what goes where, under which exit code."""

import json
from dataclasses import replace

import pytest

from ossicle.options import EngineOptions, VadOptions
from ossicle.results import Coverage, Gap
from tests.talk import TRANSCRIPT, WHOLE


def test_the_text_goes_to_stdout_and_the_story_to_stderr(ossicle, recogniser, talks):
    done = ossicle("transcribe", "talk.wav")
    assert (done.exit_code, done.stdout) == (0, "Grüß Gott. 你好\n")
    assert "talk.wav: 4.0 s of sound" in done.stderr
    assert recogniser.is_closed


def test_quiet_says_nothing_but_errors(ossicle, recogniser, talks):
    assert ossicle("transcribe", "talk.wav", "-q").stderr == ""
    done = ossicle("transcribe", "-q", "talk.wav", "broken.wav")
    assert done.stderr == "ossicle: error: expected sound in broken.wav, got noise\n"


def test_one_bad_file_does_not_stop_the_others(ossicle, recogniser, talks):
    done = ossicle("transcribe", "none.wav", "broken.wav", "talk.wav", "-q")
    assert done.exit_code == 1
    assert done.stdout == "==> talk.wav <==\nGrüß Gott. 你好\n"
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == [" error", " error"]


def test_an_engine_that_breaks_on_one_file_does_not_stop_the_others(ossicle, recogniser, talks):
    def answer(source):
        if source == "talk.wav":
            raise RuntimeError("[metal] out of memory")
        return WHOLE
    recogniser.answer = answer
    done = ossicle("transcribe", "talk.wav", "other.wav", "-q")
    assert (done.exit_code, done.stdout) == (1, "==> other.wav <==\nGrüß Gott. 你好\n")
    assert done.stderr == "ossicle: error: talk.wav: RuntimeError: [metal] out of memory; `ossicle --debug` shows where\n"


def test_several_texts_stand_under_their_names(ossicle, recogniser, talks):
    done = ossicle("transcribe", "talk.wav", "other.wav")
    assert done.stdout == "==> talk.wav <==\nGrüß Gott. 你好\n\n==> other.wav <==\nGrüß Gott. 你好\n"


def test_json_is_one_object_for_one_file(ossicle, recogniser, talks):
    assert json.loads(ossicle("transcribe", "talk.wav", "-f", "json").stdout)["source"] == "talk.wav"


def test_json_of_several_files_is_an_array_in_their_order_with_the_failed_in_place(ossicle, recogniser, talks):
    done = ossicle("transcribe", "none.wav", "talk.wav", "broken.wav", "other.wav", "-f", "json", "--tokens")
    entries = json.loads(done.stdout)
    assert [entry["source"] for entry in entries] == ["none.wav", "talk.wav", "broken.wav", "other.wav"]
    assert [entry["error"]["kind"] if "error" in entry else None for entry in entries] == ["AudioError", None, "AudioError", None]
    assert entries[1]["chunks"][0]["tokens"][0] == {"id": 7, "text": "Grüß", "logprob": -0.5}
    assert done.stdout == json.dumps(entries, ensure_ascii=False, indent=2) + "\n"


def test_json_lines_come_as_they_are_final_and_name_their_source(ossicle, recogniser, talks):
    lines = [json.loads(line) for line in ossicle("transcribe", "talk.wav", "broken.wav", "-f", "jsonl").stdout.splitlines()]
    assert [(line["kind"], line["source"]) for line in lines] == [
        ("segment", "talk.wav"), ("segment", "talk.wav"), ("done", "talk.wav"), ("error", "broken.wav")]


def test_only_bad_files_open_no_model(ossicle, recogniser, talks):
    done = ossicle("transcribe", "none.wav", "nil.wav", "-f", "json")
    assert (done.exit_code, recogniser.is_closed) == (1, False)
    assert len(json.loads(done.stdout)) == 2


def test_a_folder_gets_one_whole_file_per_recording(ossicle, recogniser, talks, tmp_path):
    done = ossicle("transcribe", "talk.wav", "other.wav", "-o", "out", "-f", "json")
    assert (done.exit_code, done.stdout) == (0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["other.json", "talk.json"]
    assert json.loads((tmp_path / "out/talk.json").read_text("utf-8"))["text"] == WHOLE.text
    assert f"wrote {'out/talk.json'}" in done.stderr


def test_a_file_of_an_earlier_run_is_kept_unless_asked(ossicle, recogniser, talks, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/talk.txt").write_text("corrected by hand")
    done = ossicle("transcribe", "talk.wav", "other.wav", "-o", "out", "-q")
    assert (done.exit_code, (tmp_path / "out/talk.txt").read_text()) == (1, "corrected by hand")
    assert done.stderr == f"ossicle: error: {'out/talk.txt'} is there already; --overwrite replaces it, another --output leaves it\n"
    assert [source for source, _ in recogniser.asked] == ["other.wav"]
    assert ossicle("transcribe", "talk.wav", "-o", "out", "--overwrite").exit_code == 0
    assert (tmp_path / "out/talk.txt").read_text("utf-8") == "Grüß Gott. 你好\n"


def test_a_file_that_appears_meanwhile_is_kept_too(ossicle, recogniser, talks, tmp_path):
    def answer(source):
        (tmp_path / "out/talk.txt").write_text("somebody else's")
        return WHOLE
    recogniser.answer = answer
    done = ossicle("transcribe", "talk.wav", "-o", "out")
    assert (done.exit_code, (tmp_path / "out/talk.txt").read_text()) == (1, "somebody else's")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["talk.txt"]


def test_strict_counts_gaps_as_failed_and_shows_the_text_all_the_same(ossicle, recogniser, talks):
    recogniser.answer = lambda source: TRANSCRIPT
    assert ossicle("transcribe", "talk.wav").exit_code == 0
    done = ossicle("transcribe", "talk.wav", "--strict", "-q")
    assert (done.exit_code, done.stdout) == (1, "Grüß Gott. 你好\n")
    assert "talk.wav: the transcript is incomplete (2.00 to 4.00 s: the token budget ran out" in done.stderr


def test_every_flag_reaches_the_options(ossicle, recogniser, talks, monkeypatch):
    from ossicle.surfaces.cli import recordings

    runs = []
    monkeypatch.setattr(recordings, "open_model", lambda run, story: runs.append(run) or recogniser)
    ossicle("transcribe", "talk.wav", "-m", "org/model", "-l", "German", "--context", "Ossicle", "--engine", "mlx", "--dtype", "float32",
            "--bits", "4", "--group-size", "32", "--encoder-bits", "none", "--threads", "6", "--kv-dtype", "float32",
            "--max-tokens", "9", "--start", "0:01.5", "--end", "1:00:00", "--track", "1",
            "--raw", "f32le", "--rate", "8000", "--channels", "2", "--chunk-seconds", "20", "--batch-size", "3", "--temperature", "0.5",
            "--seed", "11", "--retries", "1", "--reference", "--strict", "--offline", "--revision", "v1", "--cache-dir", "models",
            "--allow-url", "--vad", "energy", "--vad-threshold", "0.4", "--vad-pad", "1", "--vad-min-silence", "2",
            "--vad-silence-dbfs", "-70", "--vad-keep-dbfs", "-30", catch_exceptions=False)
    run, = runs
    audio, options = run.options.audio, run.options
    assert (run.model, run.engine) == ("org/model", EngineOptions("mlx", "float32", 4, 32, None, 6, "float32"))
    assert (run.where.revision, run.where.offline, run.where.cache_dir) == ("v1", True, "models")
    assert (audio.start_seconds, audio.end_seconds, audio.track, audio.allow_url) == (1.5, 3600.0, 1, True)
    assert (audio.raw_format, audio.rate, audio.raw_channels) == ("f32le", 8000, 2)
    assert (options.language, options.context, options.reference, options.retries) == ("German", "Ossicle", True, 1)
    assert (options.split.max_seconds, options.decode.max_tokens, options.decode.batch_size) == (20.0, 9, 3)
    assert (options.decode.temperature, options.decode.seed, run.is_strict) == (0.5, 11, True)
    assert options.vad == VadOptions("energy", 0.4, 1.0, 2.0, -70.0, -30.0)


def test_settings_of_file_and_environment_count(ossicle, recogniser, talks, tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text('format = "json"\nquiet = true\n')
    monkeypatch.setenv("OSSICLE_TOKENS", "1")
    done = ossicle("transcribe", "talk.wav")
    assert "tokens" in json.loads(done.stdout)["chunks"][0]
    assert done.stderr == ""


@pytest.mark.parametrize(("given", "expected"), [((), "auto"), (("--bits", "none"), None), (("--bits", "8"), 8)])
def test_bits_reach_the_options_as_number_or_none(ossicle, recogniser, talks, monkeypatch, given, expected):
    from ossicle.surfaces.cli import recordings

    runs = []
    monkeypatch.setattr(recordings, "open_model", lambda run, story: runs.append(run) or recogniser)
    monkeypatch.setenv("OSSICLE_ENCODER_BITS", "none")
    monkeypatch.setenv("OSSICLE_THREADS", "3")
    ossicle("transcribe", "talk.wav", *given, catch_exceptions=False)
    assert runs[0].engine == EngineOptions(bits=expected, encoder_bits=None, threads=3)


def test_context_may_come_from_a_file(ossicle, recogniser, talks, tmp_path):
    (tmp_path / "names.txt").write_text("Ossicle\n  Cochlea\n", "utf-8")
    ossicle("transcribe", "talk.wav", "--context-file", "names.txt")
    assert recogniser.asked[0][1].context == "Ossicle Cochlea"


def test_auto_takes_a_language_of_the_file_back(ossicle, recogniser, talks, tmp_path):
    (tmp_path / "config.toml").write_text('language = "de"\n')
    ossicle("transcribe", "talk.wav")
    ossicle("transcribe", "talk.wav", "-l", "auto")
    assert [options.language for _, options in recogniser.asked] == ["de", None]


@pytest.mark.parametrize(("arguments", "said"), [
    ([], "Missing argument 'FILES'"),
    (["talk.wav", "--engine", "cuda"], "'cuda' is not one of"),
    (["talk.wav", "--engin", "mlx"], "No such option"),
    (["talk.wav", "--start", "soon"], "expected seconds, m:ss or h:mm:ss, got 'soon'"),
    (["talk.wav", "--start", "5", "--end", "3"], "--end must be later than --start (5), got 3"),
    (["talk.wav", "--max-tokens", "0"], "--max-tokens must be between 1 and 65536, got 0"),
    (["talk.wav", "--chunk-seconds", "0"], "--chunk-seconds must be between 1 and 1200 s, got 0"),
    (["talk.wav", "--vad", "webrtc"], "'webrtc' is not one of"),
    (["talk.wav", "--vad-threshold", "2"], "--vad-threshold must be between 0.01 and 0.99, got 2"),
    (["talk.wav", "--vad-pad", "-1"], "--vad-pad must be between 0 and 10 s, got -1"),
    (["talk.wav", "--vad-min-silence", "0"], "--vad-min-silence must be between 0.1 and 3600 s, got 0"),
    (["talk.wav", "--vad-silence-dbfs", "3"], "--vad-silence-dbfs must be between -150 and 0 dBFS, got 3"),
    (["talk.wav", "--vad-keep-dbfs", "30"], "--vad-keep-dbfs must be between -150 and 20 dBFS, got 30"),
    (["talk.wav", "--bits", "7"], "--bits must be one of auto, none, 2, 3, 4, 5, 6, 8; got 7"),
    (["talk.wav", "--bits", "nine"], "--bits must be a whole number, or 'auto' or 'none'; got 'nine'; did you mean none?"),
    (["talk.wav", "--encoder-bits", "4"], "--encoder-bits must be one of auto, none, 8; got 4"),
    (["talk.wav", "--threads", "0"], "--threads must be between 1 and 256, got 0"),
    (["talk.wav", "--kv-dtype", "int8"], "'int8' is not one of"),
    (["talk.wav", "--raw", "s16le"], "--raw needs --rate"),
    (["talk.wav", "--language", "Germn"], "did you mean German"),
    (["talk.wav", "--config", "none.toml"], "expected a configuration file at none.toml"),
    (["talk.wav", "--context", "x", "--context-file", "y"], "cannot both be given"),
    (["talk.wav", "--context-file", "none"], "cannot read --context-file none"),
    (["talk.wav", "-o", "other.wav"], "cannot make the output folder other.wav"),
    (["."], "is a folder; name the files in it, as in *.wav"),
    (["-", "-"], "'-' may stand once"),
])
def test_a_wrong_command_is_refused_in_one_line_under_code_2(ossicle, recogniser, talks, arguments, said):
    done = ossicle("transcribe", *arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert (done.stdout, recogniser.asked) == ("", [])


def test_a_wrong_value_is_named_by_where_it_was_written(ossicle, recogniser, talks, monkeypatch, tmp_path):
    monkeypatch.setenv("OSSICLE_CHUNK_SECONDS", "0")
    assert "OSSICLE_CHUNK_SECONDS must be between" in ossicle("transcribe", "talk.wav").stderr
    monkeypatch.delenv("OSSICLE_CHUNK_SECONDS")
    (tmp_path / "config.toml").write_text("batch_size = 0\n")
    assert "config.toml: batch_size must be between" in ossicle("transcribe", "talk.wav").stderr


def test_a_misspelt_variable_is_asked_about(ossicle, recogniser, talks, monkeypatch):
    monkeypatch.setenv("OSSICLE_LANGAUGE", "de")
    said = ossicle("transcribe", "talk.wav").stderr
    assert "OSSICLE_LANGAUGE is in the environment, but no setting is called so; did you mean OSSICLE_LANGUAGE or " in said


def test_an_unknown_model_is_a_wrong_command(ossicle, talks):
    done = ossicle("transcribe", "talk.wav", "-m", "tinny")
    assert done.exit_code == 2
    assert "no model is called 'tinny'; did you mean tiny?" in done.stderr


def test_a_url_is_fetched_only_when_asked(ossicle, recogniser):
    done = ossicle("transcribe", "https://example.org/talk.mp3?key=secret")
    assert done.exit_code == 1
    assert "https://example.org/talk.mp3 is a URL; --allow-url fetches it" in done.stderr
    assert "secret" not in done.stderr
    assert ossicle("transcribe", "https://example.org/talk.mp3", "--allow-url", "-q").exit_code == 0


def test_debug_shows_the_traceback(ossicle, recogniser, talks):
    assert "Traceback" not in ossicle("transcribe", "broken.wav").stderr
    assert "Traceback" in ossicle("--debug", "transcribe", "broken.wav").stderr


def test_an_interrupt_keeps_what_is_there_and_ends_the_run(ossicle, recogniser, talks, tmp_path):
    gap = Coverage(4.0, 2.0, 0.0, 2.0, (Gap(2.0, 4.0, "cancelled before it was done"),))
    cut = replace(WHOLE, coverage=gap, chunks=(WHOLE.chunks[0], replace(WHOLE.chunks[1], stopped_by="cancelled")))
    _cancelling(recogniser, cut)
    done = ossicle("transcribe", "talk.wav", "other.wav")
    assert (done.exit_code, len(recogniser.asked)) == (130, 1)
    assert "Grüß Gott." in done.stdout
    assert "interrupted, 2.0 s of 4.0 s are done" in done.stderr
    _cancelling(recogniser, cut)
    ossicle("transcribe", "talk.wav", "-o", "out", "-f", "json")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["talk.partial.json"]


def test_recordings_are_asked_for_together_so_that_they_can_share_batches(ossicle, recogniser, talks):
    done = ossicle("transcribe", *talks)
    assert (done.exit_code, recogniser.num_rounds) == (1, 1)
    assert [source for source, _ in recogniser.asked] == talks


def test_a_fault_costs_one_recording_and_the_rest_is_begun_again(ossicle, recogniser, talks):
    def answer(source):
        if "other" in source:
            raise ZeroDivisionError("a bug")
        return WHOLE

    recogniser.answer = answer
    done = ossicle("transcribe", "talk.wav", "other.wav", "talk.wav", "-f", "json")
    assert (done.exit_code, recogniser.num_rounds) == (1, 2)
    assert "a bug" in done.stderr
    assert len(json.loads(done.stdout)) == 3


def test_an_array_is_closed_after_an_interrupt(ossicle, recogniser, talks):
    _cancelling(recogniser, WHOLE)
    assert len(json.loads(ossicle("transcribe", "talk.wav", "other.wav", "-f", "json").stdout)) == 1


def test_an_interrupt_before_decoding_ends_at_once(ossicle, recogniser, talks):
    def answer(source):
        raise KeyboardInterrupt
    recogniser.answer = answer
    done = ossicle("transcribe", "talk.wav")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (130, "ossicle: interrupted")


@pytest.mark.parametrize("flag", ["--rate", "--channels"])
def test_flags_of_raw_samples_are_refused_without_them(ossicle, recogniser, talks, flag):
    done = ossicle("transcribe", "talk.wav", flag, 2)
    assert (done.exit_code, recogniser.asked) == (2, [])
    assert f"{flag} is of samples without a container: give --raw s16le or f32le" in done.stderr


def _cancelling(recogniser, transcript):
    """The next transcription is interrupted, as by Ctrl-C."""
    plain = type(recogniser).transcribe

    def transcribe(source, *, options, on_event, cancel):
        cancel.cancel()
        return plain(recogniser, source, options=options, on_event=on_event, cancel=cancel)
    recogniser.answer, recogniser.transcribe = (lambda source: transcript), transcribe
