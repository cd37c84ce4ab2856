"""What a person sees of a live session: on a terminal, which a test looks at, and where there is none."""

import io
import json

import pytest
from rich.console import Console

from ossicle.stream_events import Final, LiveWarning, Partial, SpeechStarted, event_from_dict
from ossicle.surfaces.cli.live_view import EventLines, Lines, Pulse, Screen, clock, meter, view_of

pyte = pytest.importorskip("pyte")
SAID = "It is eleven forty five and Henry sees a house."


class Terminal(io.StringIO):
    """A terminal of some size: `write` is what it gets, `rows` what a person sees."""

    encoding = "utf-8"

    def __init__(self, columns=60, lines=8):
        super().__init__()
        self.screen = pyte.HistoryScreen(columns, lines, history=1000)
        self.stream = pyte.Stream(self.screen)
        self.console = Console(file=self, force_terminal=True, width=columns, height=lines, color_system="standard", legacy_windows=False)
        self.got = ""

    def write(self, text):
        self.got += text
        self.stream.feed(text.replace("\n", "\r\n"))     # as the terminal driver of the system does it
        return len(text)

    def resize(self, columns, lines):
        self.screen.resize(lines, columns)
        self.console.width, self.console.height = columns, lines

    @property
    def rows(self):
        return [line.rstrip() for line in self.screen.display if line.strip()]

    @property
    def scrolled(self):
        return ["".join(line[column].data for column in range(self.screen.columns)).rstrip() for line in self.screen.history.top]

    def place(self, text):
        """Row and column of a text on the screen."""
        row = next(number for number, line in enumerate(self.screen.display) if text in line)
        return row, self.screen.display[row].index(text)


def partial(committed, pending, item="a"):
    return Partial(item_id=item, committed_delta="", pending_text=pending, committed_text=committed)


def final(text, start=0.0, item="a"):
    return Final(item_id=item, text=text, committed_delta="", start=start, end=start + 2)


@pytest.fixture
def terminal():
    return Terminal()


def test_committed_text_is_firm_and_pending_text_is_dim(terminal):
    with Screen(terminal.console) as screen:
        screen.take(SpeechStarted(item_id="a", start=3.4))
        screen.take(partial("It is eleven", " forty"))
        screen.tick(Pulse(4.0, 0.3, -20.0))
        assert terminal.rows[0] == "0:03  It is eleven forty"
        assert terminal.rows[1].startswith("0:04 ▕████████")
        assert terminal.rows[1].endswith("speech  0.3 s behind")
        assert len(terminal.rows) == 2
    styled = terminal.got[: terminal.got.rindex("forty")].splitlines()[-1]
    before, _, pending = styled.rpartition("It is eleven")
    assert before.endswith("\x1b[0m"), "firm text has no style of its own"
    assert pending.startswith("\x1b[2;3m"), "what may change is dim and italic"


def test_what_is_final_scrolls_up_as_plain_lines_and_the_region_is_wiped(terminal):
    with Screen(terminal.console) as screen:
        screen.tick(Pulse(0.5, 0.0, -50.0))
        for number in range(12):
            screen.take(SpeechStarted(item_id=str(number), start=number))
            screen.take(partial(f"Sentence {number}", " maybe", str(number)))
            screen.take(final(f"Sentence {number}.", number, str(number)))
        assert terminal.rows[-1].startswith("0:00 ▕██")
        assert terminal.rows[-1].endswith("listening")
    seen = terminal.scrolled + terminal.rows
    assert seen == [f"0:{number:02}  Sentence {number}." for number in range(12)]
    assert not terminal.screen.cursor.hidden


def test_a_narrow_terminal_wraps_at_words_and_wide_characters_are_never_cut(terminal):
    terminal = Terminal(columns=12, lines=10)
    with Screen(terminal.console) as screen:
        screen.take(SpeechStarted(item_id="a", start=0))
        screen.take(partial("你好世界你好世界", "再见再见再见"))
        assert "".join(terminal.rows[:-1]).replace("0:00", "").replace(" ", "") == "你好世界你好世界再见再见再见"
        screen.take(partial(SAID, ""))
        assert " ".join(" ".join(terminal.rows[:-1]).split()) == f"0:00 {SAID}"
        assert all(len(row) <= 11 for row in terminal.rows)


def test_text_that_is_taller_than_the_terminal_shows_its_end():
    terminal = Terminal(columns=20, lines=4)
    with Screen(terminal.console) as screen:
        screen.take(SpeechStarted(item_id="a", start=0))
        for count in range(1, 30):
            screen.take(partial(" ".join(f"word{number}" for number in range(count)), ""))
        assert "word28" in terminal.rows[-2]
        assert len(terminal.rows) == 3
    assert terminal.scrolled == [], "nothing of an utterance that is open is left behind"


@pytest.mark.parametrize(("columns", "lines"), [(25, 8), (100, 20), (60, 3)])
def test_a_terminal_that_is_resized_shows_everything_once(terminal, columns, lines):
    with Screen(terminal.console) as screen:
        screen.take(final("First sentence."))
        screen.take(SpeechStarted(item_id="b", start=2))
        screen.take(partial(SAID, "", "b"))
        terminal.resize(columns, lines)
        screen.take(partial(SAID, " Again", "b"))
        shown = " ".join(" ".join(terminal.rows).split())
        assert shown.count("Again") == 1
        assert shown.count("listening") + shown.count("speech") == 1
        screen.take(final(f"{SAID} Again.", 2, "b"))
    assert " ".join(" ".join([*terminal.scrolled, *terminal.rows]).split()).count("Again") == 1


def test_what_the_terminal_itself_writes_is_gone_with_the_next_sign_of_life(terminal):
    with Screen(terminal.console) as screen:
        screen.tick(Pulse(1.0, 0.0, -20.0))
        terminal.stream.feed("^C")
        screen.tick(Pulse(1.1, 0.0, -20.0, is_ending=True))
        assert not any("^C" in row for row in terminal.rows)
        assert terminal.rows[-1].endswith("finishing")


def test_what_does_not_change_is_not_drawn_again(terminal):
    with Screen(terminal.console) as screen:
        screen.tick(Pulse(1.0, 0.0, -20.0))
        before = terminal.got
        screen.tick(Pulse(1.0, 0.0, -20.0))
        assert terminal.got == before


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    with Screen(terminal.console) as screen:
        screen.tick(Pulse(1.0, 0.0, -0.5))
        screen.take(SpeechStarted(item_id="a", start=0))
        screen.take(partial("It is", " eleven"))
    assert "\x1b[3" not in terminal.got.replace("\x1b[3m", "")       # 30 to 37 are colours, 3 alone is italic
    assert terminal.rows == []


def test_a_warning_goes_to_stderr_and_leaves_the_region_whole(terminal, capsys):
    with Screen(terminal.console) as screen:
        screen.take(LiveWarning(message="the machine is\ntoo slow", audio_seconds=61.0))
        assert len(terminal.rows) == 1
    assert capsys.readouterr().err == "ossicle: warning: 1:01: the machine is too slow\n"


def test_markup_and_control_characters_of_a_text_do_nothing(terminal):
    with Screen(terminal.console) as screen:
        screen.take(final("[bold]five\x1b[2J\x07 [/nothing]"))
    assert terminal.rows == ["0:00  [bold]five [2J  [/nothing]"]


def test_without_a_terminal_each_utterance_is_a_line(capsys):
    with Lines() as lines:
        for event in (SpeechStarted(item_id="a", start=0), partial("It", " is"), final("It is."), final("", 3), final("你好", 4)):
            lines.take(event)
            lines.tick(Pulse(1.0, 0.0, -20.0))
    assert capsys.readouterr() == ("It is.\n你好\n", "")


def test_json_lines_are_read_back_as_the_events(capsys):
    events = [SpeechStarted(item_id="a", start=0), partial("It", " is"), LiveWarning(message="slow", code="late"), final("It is.")]
    with EventLines() as lines:
        for event in events:
            lines.take(event)
    out, err = capsys.readouterr()
    assert [event_from_dict(json.loads(line)) for line in out.splitlines()] == events
    assert err == "ossicle: warning: 0:00: slow\n"


def test_the_view_fits_where_stdout_goes(monkeypatch):
    assert type(view_of()) is Lines
    assert type(view_of(is_jsonl=True)) is EventLines
    monkeypatch.setenv("FORCE_COLOR", "1")              # rich takes it for a terminal
    monkeypatch.setenv("TERM", "xterm-256color")
    assert type(view_of()) is Screen
    monkeypatch.setenv("TERM", "dumb")
    assert type(view_of()) is Lines


@pytest.mark.parametrize(("level", "bar"), [
    (-60, ""), (-90, ""), (float("-inf"), ""), (-30, "██████"), (0, "████████████"), (3, "████████████")])
def test_the_meter_goes_from_silence_to_full_scale(level, bar):
    assert meter(level).rstrip() == bar
    assert len(meter(level)) == 12


def test_times_are_said_as_a_clock_shows_them():
    assert [clock(seconds) for seconds in (0, 7.9, 725, 3725)] == ["0:00", "0:07", "12:05", "1:02:05"]
