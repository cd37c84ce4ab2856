"""What is told on stderr: a bar on a terminal, lines elsewhere, nothing when quiet."""

import io

import pytest
from rich.console import Console

from ossicle.progress import ChunkDone, Started, Warned
from ossicle.surfaces.cli.answer import named
from ossicle.surfaces.cli.story import BarStory, LineStory, Story, byte_story, say_seconds, speed_and_left
from tests.talk import TRANSCRIPT, events_of


def told(story_class, is_terminal=False, **kwargs):
    file = io.StringIO()
    story = story_class(Console(file=file, force_terminal=is_terminal, width=120, legacy_windows=False), **kwargs)
    with story:
        story.begin("talk.wav", 2, 3)
        for event in events_of(TRANSCRIPT):
            story.on_event(event)
    return file.getvalue()


def test_lines_say_how_much_and_how_fast():
    said = told(LineStory).splitlines()
    assert said == [
        "[2/3] talk.wav: 4.0 s of sound in 2 pieces",
        "ossicle: warning: [2/3] talk.wav: 2.00 to 4.00 s: text may be missing",
        "[2/3] talk.wav: German,Chinese, 4.0 s of sound in 1.0 s (4.0x real time)",
    ]


def test_a_log_gets_a_line_of_progress_when_it_takes_long():
    times = iter([0.0, 11.0, 11.0, 12.0])
    said = told(LineStory, clock=lambda: next(times))
    assert "[2/3] talk.wav: 50%, 10.0x real time, 0.2 s left\n" in said


def test_the_bar_has_percentage_speed_and_time_left():
    said = told(BarStory, is_terminal=True)
    assert "[2/3] talk.wav" in said
    assert "\x1b[2K" in said                        # and is taken away again
    assert said.rstrip().endswith("(4.0x real time)")
    assert list(speed_and_left(ChunkDone(TRANSCRIPT.chunks[0], 30.0, 120.0, 10.0, 0.25))) == ["3.0x real time", "30 s left"]


def test_a_quiet_story_says_nothing(capsys):
    with Story() as story:
        story.begin("talk.wav", 1, 1)
        story.say("hello")
        for event in (Started(None, 1.0, 1), Warned("careful")):
            story.on_event(event)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("seconds", "said"), [(0.34, "0.3 s"), (9.96, "10.0 s"), (45.2, "45 s"), (61, "1:01"), (3725, "1:02:05")])
def test_seconds_are_said_as_people_say_them(seconds, said):
    assert say_seconds(seconds) == said


def test_bytes_are_told_by_tenths_in_a_log(capsys):
    with byte_story("downloading x") as on_progress:
        for done in range(0, 101, 5):
            on_progress(done * 1_000_000, 100_000_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "downloading x: 10 % of 100.0 MB"
    assert len(lines) == 10


def test_a_warning_names_its_recording_once():
    assert named("talk.wav", "talk.wav is cut off") == "talk.wav is cut off"
    assert named("talk.wav", "cut off") == "talk.wav: cut off"
