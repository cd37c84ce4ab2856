"""A session on disk: everything from the first second, whatever happens to the program or the disk; and gone on with."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from ossicle.errors import FormatError, StreamError
from ossicle.formats.registry import write
from ossicle.results import Word
from ossicle.stream import record
from ossicle.stream.record import COMMANDS, EVENTS, HEADER, SOUND, Recorder, options_from_dict, to_bytes
from ossicle.stream.resume import find_sessions, read_session, recorded_transcript
from ossicle.stream_events import Failure, Final, Partial, event_from_dict
from ossicle.stream_options import EndpointOptions, PolicyOptions, StreamOptions
from tests.house.source import ROOT
from tests.stream.conftest import bare, of_kind, sample, silence, tell

EXACT = StreamOptions(coalesce=False)


def recorded(asr, folder, samples, options=EXACT):
    """Run a session over this sound, recorded; its folder and its events."""
    events = tell(asr.stream(replace(options, record=folder)), samples)
    session, = find_sessions(folder)
    return session, events


def lines(path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def no_session(options, told):
    raise AssertionError("nothing was left to hear")


def cut_at(folder, num_events: int, audio_seconds: float, torn: bytes = b"") -> None:
    """Leave what a crash would have left then."""
    (folder / EVENTS).write_bytes(b"".join(lines(folder / EVENTS)[:num_events]) + torn)
    (folder / COMMANDS).write_bytes(b"".join(
        line for line in lines(folder / COMMANDS)
        if json.loads(line)["at_sample"] <= audio_seconds * 16_000 and json.loads(line)["command"] not in ("end", "close")))
    with open(folder / SOUND, "r+b") as file:
        file.truncate(round(audio_seconds * 16_000) * 2 + len(torn) % 2)


@pytest.fixture(scope="module")
def talk(henry) -> np.ndarray:
    """Two utterances."""
    return np.concatenate([henry, sample("english_unseen_speaker.flac"), silence(1)])


@pytest.fixture(scope="module")
def whole(asr, talk, tmp_path_factory):
    """A session of two utterances that ended well."""
    return recorded(asr, tmp_path_factory.mktemp("whole"), talk)


@pytest.fixture
def copied(whole, tmp_path):
    folder = tmp_path / "session"
    folder.mkdir()
    for name in (HEADER, SOUND, COMMANDS, EVENTS):
        (folder / name).write_bytes((whole[0] / name).read_bytes())
    return folder


def test_all_is_kept_as_it_came(asr, whole, talk):
    folder, events = whole
    assert [event_from_dict(json.loads(line)) for line in lines(folder / EVENTS)] == events
    assert (folder / SOUND).read_bytes() == to_bytes(talk)
    assert [json.loads(line) for line in lines(folder / COMMANDS)] == [
        {"command": "close", "at_sample": len(talk)}, {"command": "end", "at_sample": len(talk)}]
    header = json.loads((folder / HEADER).read_text("utf-8"))
    assert header["rate"] == 16_000
    assert header["model"]["name"] == "tiny"
    assert options_from_dict(header["options"]) == replace(EXACT, record=folder.parent)


def test_sixteen_bits_stay_what_they_were():
    values = np.arange(-32768, 32768, dtype=np.int16)
    assert to_bytes((values / 32768).astype(np.float32)) == values.tobytes()
    assert to_bytes(np.array([2, -2, np.nan], np.float32)) == np.array([32767, -32768, 0], np.int16).tobytes()


def test_options_come_back_from_json():
    options = StreamOptions(languages=("German", "English"), policy=PolicyOptions("agreement", agreements=3),
                            endpoint=EndpointOptions("energy", silence_seconds=0.4))
    plain = json.loads(json.dumps(json.loads(record.line_of({"options": __import__("dataclasses").asdict(options)}))["options"]))
    assert options_from_dict(plain) == options
    assert options_from_dict({"language": "German", "of_a_later_version": 1}) == StreamOptions(language="German")


def test_sessions_of_one_folder_have_folders_of_their_own(tmp_path):
    recorders = [Recorder(tmp_path / "day", StreamOptions()) for _ in range(3)]
    for recorder in recorders:
        recorder.close()
    assert len({recorder.folder for recorder in recorders}) == 3
    assert find_sessions(tmp_path / "day") == sorted(recorder.folder for recorder in recorders)
    assert find_sessions(recorders[0].folder) == [recorders[0].folder]


def test_what_is_kept_is_there_at_once(tmp_path):
    recorder = Recorder(tmp_path, StreamOptions())
    recorder.sound(np.ones(100, np.float32))
    recorder.command("commit", 100)
    recorder.event(Failure(message="é", code="x"))
    assert (recorder.folder / SOUND).stat().st_size == 200
    assert json.loads((recorder.folder / COMMANDS).read_text()) == {"command": "commit", "at_sample": 100}
    assert "é" in (recorder.folder / EVENTS).read_text("utf-8")


def test_threads_do_not_tear_lines(tmp_path):
    recorder = Recorder(tmp_path, StreamOptions())

    def work(number):
        for _ in range(200):
            recorder.event(Failure(message=str(number) * 500, code="x"))
            recorder.sound(np.zeros(10, np.float32))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in lines(recorder.folder / EVENTS)]) == 800
    assert (recorder.folder / SOUND).stat().st_size == 4 * 200 * 10 * 2


def test_a_folder_that_cannot_be_made_is_a_warning_and_the_session_goes_on(asr, henry, tmp_path):
    (tmp_path / "file").write_text("in the way")
    events = tell(asr.stream(replace(EXACT, record=tmp_path / "file" / "day")), henry)
    warning, = [event for event in of_kind(events, "warning") if event.code == "record"]
    assert "no longer recorded" in warning.message
    assert of_kind(events, "final")[0].text


def test_a_folder_that_cannot_be_made_is_told_in_silence_too(asr, tmp_path):
    (tmp_path / "file").write_text("in the way")
    events = tell(asr.stream(replace(EXACT, record=tmp_path / "file")), silence(1))
    assert [event.code for event in of_kind(events, "warning")] == ["record"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full disk")
def test_a_full_disk_is_a_warning_and_the_session_goes_on(asr, henry, tmp_path):
    session = asr.stream(replace(EXACT, record=tmp_path))
    session._recorder._files[SOUND].close()
    session._recorder._files[SOUND] = open("/dev/full", "ab", buffering=0)      # noqa: SIM115  (the recorder closes it)
    events = tell(session, henry)
    warning, = [event for event in of_kind(events, "warning") if event.code == "record"]
    assert "No space left" in warning.message
    assert of_kind(events, "final")[0].text


def test_a_finished_session_becomes_a_transcript_without_being_heard(whole):
    folder, events = whole
    from ossicle.stream.resume import resume

    before = (folder / EVENTS).read_bytes()
    transcript = resume(folder, no_session)
    finals = of_kind(events, "final")
    assert transcript.text == " ".join(final.text for final in finals)
    assert "".join(word.text for word in transcript.words) == transcript.text
    assert [segment.start for segment in transcript.segments] == [final.words[0].start for final in finals]
    assert transcript.is_complete
    for name in ("txt", "json", "srt"):
        assert "Henry" in write(transcript, name)
    assert resume(folder, no_session) == transcript
    assert (folder / EVENTS).read_bytes() == before


@pytest.mark.parametrize("kept", [0, 1, 3, 0.5, 0.9])
@pytest.mark.parametrize("torn", [b"", b'{"type": "fin'])
def test_a_crash_anywhere_gives_the_same_text(asr, whole, copied, kept, torn):
    _, events = whole
    count = round(kept * len(events)) if isinstance(kept, float) else kept
    cut_at(copied, count, events[-1].audio_seconds, torn)
    final_before = [line for line, event in zip(lines(copied / EVENTS)[:count], events) if event.kind == "final"]
    transcript = asr.resume(copied)
    told = read_session(copied)
    assert told.is_finished
    assert lines(copied / EVENTS)[:count] == lines(whole[0] / EVENTS)[:count]
    assert [line for line in lines(copied / EVENTS) if line in final_before] == final_before
    assert transcript.text == recorded_transcript(read_session(whole[0])).text
    # Up to the endpoint where the text that was heard ahead of it is not: the silence that ended it.
    assert transcript.segments[-1].end == pytest.approx(of_kind(events, "final")[-1].end, abs=0.45)
    check_items(told.events)
    again = (copied / EVENTS).read_bytes()
    assert asr.resume(copied) == transcript
    assert (copied / EVENTS).read_bytes() == again


def check_items(events) -> None:
    """What holds of every session's events: deltas add up, each item has one final, revisions and clocks grow."""
    assert [event.item_id for event in of_kind(events, "final")] == list(dict.fromkeys(event.item_id for event in events if event.item_id))
    for item in dict.fromkeys(event.item_id for event in events if event.item_id):
        own = [event for event in events if event.item_id == item]
        final, = of_kind(own, "final")
        assert own[-1] is final
        assert "".join(event.committed_delta for event in own if event.kind in ("partial", "final")) == final.text
        assert [event.revision for event in own] == list(range(1, len(own) + 1))
        assert len(of_kind(own, "speech_started")) == 1
    clock = [event.audio_seconds for event in events]
    assert clock == sorted(clock)


def test_what_was_committed_is_never_taken_back(asr, whole, copied):
    _, events = whole
    number = next(place for place, event in enumerate(events, start=1) if isinstance(event, Partial) and len(event.committed_text) > 8)
    open_item = events[number - 1]
    # Somebody said it in other words than the model would: the words told stay, and what follows is heard.
    changed = replace(open_item, committed_delta="Harriet saw", committed_text="Harriet saw",
                      words=(Word("Harriet", 0.5, 0.9), Word(" saw", 0.9, 1.2)), revision=2)
    before = [event for event in events[:number] if event.item_id != open_item.item_id or event.kind == "speech_started"]
    (copied / EVENTS).write_bytes(b"".join(record.line_of(event.to_dict()) for event in [*before, changed]))
    cut_at(copied, len(before) + 1, events[-1].audio_seconds)
    asr.resume(copied)
    final = next(event for event in read_session(copied).events if isinstance(event, Final) and event.item_id == open_item.item_id)
    assert final.text.startswith("Harriet saw")
    assert len(final.text) > len("Harriet saw") + 5
    check_items(read_session(copied).events)


def test_an_utterance_that_is_not_heard_of_again_keeps_what_was_committed(asr, whole, copied):
    _, events = whole
    number = next(place for place, event in enumerate(events, start=1) if isinstance(event, Partial) and event.committed_text)
    cut_at(copied, number, 0.1)                                         # and nearly all of the sound is lost
    transcript = asr.resume(copied)
    assert transcript.text == events[number - 1].committed_text
    check_items(read_session(copied).events)


def test_commands_are_done_again_where_they_came(asr, talk, tmp_path):
    sound = talk
    options = replace(EXACT, endpoint=EndpointOptions("manual"))
    session = asr.stream(replace(options, record=tmp_path))
    session.feed(sound[:45_000])
    session.commit()
    session.feed(sound[45_000:70_000])
    session.update(language="English")
    session.clear()
    session.feed(sound[70_000:])
    session.close()
    events = list(session)
    folder, = find_sessions(tmp_path)
    assert [json.loads(line)["command"] for line in lines(folder / COMMANDS)] == ["commit", "options", "clear", "close", "end"]
    assert json.loads(lines(folder / COMMANDS)[1])["options"]["language"] == "English"
    (folder / EVENTS).write_bytes(b"")
    (folder / COMMANDS).write_bytes(b"".join(lines(folder / COMMANDS)[:-2]))
    asr.resume(folder)
    assert bare(read_session(folder).events) == bare(events)


def test_a_folder_without_a_session_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"holds no recorded session.*session\.json"):
        find_sessions(tmp_path)
    (tmp_path / HEADER).write_text("{}")
    with pytest.raises(FormatError, match=r"not the session\.json"):
        read_session(tmp_path)


def test_a_session_that_fails_again_leaves_the_folder_as_it_was(whole, copied):
    class Failing:
        is_closed = False

        def feed(self, samples):
            self.is_closed = True

        def wait(self, seconds): ...
        def close(self): ...
        def __iter__(self):
            yield Failure(message="no memory", code="ModelError")

    from ossicle.stream.resume import resume

    cut_at(copied, 2, 5.0)
    before = (copied / EVENTS).read_bytes()
    with pytest.raises(StreamError, match=r"failed again.*no memory"):
        resume(copied, lambda options, told: Failing())
    assert (copied / EVENTS).read_bytes() == before
    assert not read_session(copied).is_finished


LIVE = """
import sys, time
import numpy as np
import ossicle
sound = np.load(sys.argv[1])
with ossicle.load("tiny", ossicle.EngineOptions(engine="cpu")) as asr, asr.stream(ossicle.StreamOptions(record=sys.argv[2])) as session:
    for at in range(0, len(sound), 1600):
        session.feed(sound[at : at + 1600])
        time.sleep(0.01)
    print("fed", flush=True)
    time.sleep(60)
"""


@pytest.mark.timeout(120)
def test_a_killed_program_loses_nothing_that_was_fed(asr, talk, tmp_path):
    """kill -9 in mid-speech, when at least one utterance is final: what it told stays, what it had not told is heard."""
    np.save(tmp_path / "sound.npy", talk)
    process = subprocess.Popen([sys.executable, "-c", LIVE, str(tmp_path / "sound.npy"), str(tmp_path / "day")],
                               env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        found = list((tmp_path / "day").glob(f"*/{EVENTS}"))
        if found and found[0].read_bytes().partition(b'"final"')[2].count(b"\n") > 3:      # and the next one is spoken
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, process.stderr.read().decode()
    folder, = find_sessions(tmp_path / "day")
    before = read_session(folder)
    assert not before.is_finished
    told = [event for event in before.events if isinstance(event, Final)]
    assert told
    assert np.array_equal(before.samples(0, before.num_samples), np.frombuffer(to_bytes(talk), "<i2")[: before.num_samples])
    transcript = asr.resume(folder)
    assert (folder / EVENTS).read_bytes().startswith(before.event_bytes)
    assert transcript.text.startswith(" ".join(event.text for event in told))
    assert transcript.duration == before.num_samples / 16_000
    check_items(read_session(folder).events)


def test_a_folder_that_lost_its_events_is_heard_again_and_one_that_lost_its_sound_too_is_none(asr, copied):
    told = recorded_transcript(read_session(copied)).text
    (copied / EVENTS).unlink()
    assert asr.resume(copied).text == told
    (copied / EVENTS).unlink()
    (copied / SOUND).unlink()
    with pytest.raises(FormatError, match="neither the sound"):
        asr.resume(copied)


def test_a_session_of_another_version_says_which(copied):
    (copied / HEADER).write_text(json.dumps({"version": 2, "rate": 16_000}))
    with pytest.raises(FormatError, match="expected version 1 at 16000 Hz, got version 2"):
        read_session(copied)
