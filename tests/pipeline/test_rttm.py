"""Turns from RTTM files as they are found in the wild, and complaints that name the line."""

import pytest

from ossicle.errors import OptionError
from ossicle.pipeline.rttm import read_rttm
from ossicle.results import Turn

PLAIN = """\
;; a comment in the manner of NIST
# and one of other tools
SPKR-INFO talk 1 <NA> <NA> <NA> unknown Ann <NA> <NA>

SPEAKER talk 1 0.50 1.250 <NA> <NA> Ann <NA> <NA>
SPEAKER\ttalk\t1\t1.75\t2\t<NA>\t<NA>\tBo\t<NA>
SPEAKER talk 2 4e0 0.5 <NA> <NA> Ann
"""
SEVERAL = """\
SPEAKER monday 1 0 1 <NA> <NA> Ann <NA> <NA>
SPEAKER tuesday 1 0 2 <NA> <NA> Bo <NA> <NA>
SPEAKER monday 1 1 1 <NA> <NA> Cy <NA> <NA>
"""


@pytest.fixture
def rttm(tmp_path):
    def write(text, name="talk.rttm", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    return write


def test_turns_are_read_past_comments_blank_lines_and_lines_of_other_kinds(rttm):
    assert read_rttm(rttm(PLAIN)) == [Turn(0.5, 1.75, "Ann"), Turn(1.75, 3.75, "Bo"), Turn(4.0, 4.5, "Ann")]


def test_line_ends_and_a_byte_order_mark_of_windows_change_nothing(rttm):
    assert read_rttm(rttm(PLAIN.replace("\n", "\r\n"), encoding="utf-8-sig")) == read_rttm(rttm(PLAIN, "other.rttm"))


def test_one_recording_is_read_whatever_it_is_called(rttm):
    assert len(read_rttm(rttm(PLAIN), "something else")) == 3


def test_several_recordings_are_told_apart_by_name(rttm):
    assert read_rttm(rttm(SEVERAL), "monday") == [Turn(0, 1, "Ann"), Turn(1, 2, "Cy")]
    assert read_rttm(rttm(SEVERAL), "tuesday") == [Turn(0, 2, "Bo")]


@pytest.mark.parametrize("recording", ["friday", None])
def test_several_recordings_of_which_none_fits_are_named(rttm, recording):
    with pytest.raises(OptionError, match=r"2 recordings \(monday, tuesday\), none of them called"):
        read_rttm(rttm(SEVERAL), recording)


def test_a_folder_has_a_file_for_each_recording(rttm, tmp_path):
    rttm(PLAIN)
    assert len(read_rttm(tmp_path, "talk")) == 3
    with pytest.raises(OptionError, match=r"other\.rttm, found none"):
        read_rttm(tmp_path, "other")
    with pytest.raises(OptionError, match="no name to choose by"):
        read_rttm(tmp_path, None)


def test_an_empty_file_has_no_turns(rttm):
    assert read_rttm(rttm(";; nobody speaks\n")) == []


@pytest.mark.parametrize(("line", "message"), [
    ("SPEAKER talk 1 zero 1 <NA> <NA> Ann", "line 2: the start must be seconds, got 'zero'"),
    ("SPEAKER talk 1 0 -1 <NA> <NA> Ann", "line 2: the duration must be at least 0, got -1"),
    ("SPEAKER talk 1 nan 1 <NA> <NA> Ann", "line 2: the start must be at least 0, got nan"),
    ("SPEAKER talk 1 0 1", "line 2: a SPEAKER line must have 8 to 10 fields, got 5"),
    ("SPEAKER talk 1 0 1 <NA> <NA> Ann of York <NA> <NA>", "got 12; a speaker's label must have no spaces"),
    ("1", "line 2: an RTTM line must begin with SPEAKER, got '1'; is this an RTTM file?"),
])
def test_a_wrong_line_is_named(rttm, line, message):
    with pytest.raises(OptionError) as caught:
        read_rttm(rttm(f";;\n{line}\n"))
    assert message in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_named(rttm, tmp_path):
    with pytest.raises(OptionError, match=r"expected an RTTM file at .*none\.rttm, found none"):
        read_rttm(tmp_path / "none.rttm")
    (tmp_path / "sound.rttm").write_bytes(b"RIFF\xff\xfe\x00")
    with pytest.raises(OptionError, match="cannot read the RTTM file"):
        read_rttm(tmp_path / "sound.rttm")
