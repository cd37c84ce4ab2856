"""Names for sets of cue options, by the guides that they come from, and by language where a guide differs.

Widths and speeds of a guide in characters are columns here: a Han, kana or Hangul character has two.
"""

from dataclasses import replace
from typing import Any, get_args

from ossicle.errors import OptionError
from ossicle.options import CueOptions, PresetName

# Netflix's Timed Text Style Guides (general requirements, subtitle timing guidelines, one guide per language), as of 2026:
# what they ask of subtitles for the hard of hearing in the spoken language, which is what a transcript makes.
NETFLIX = CueOptions(min_duration=5 / 6, max_duration=7.0, max_cps=20.0, max_linger=0.5, min_gap=2 / 24, close_gap=0.5)
NETFLIX_BY_LANGUAGE: dict[str, dict[str, Any]] = {
    "Chinese": {"max_line_width": 32, "max_cps": 22.0},         # 16 characters, 11 a second
    "Cantonese": {"max_line_width": 32, "max_cps": 22.0},
    "Japanese": {"max_line_width": 32, "max_cps": 14.0},        # 16 and 7; subtitles of foreign films have 13 and 4
    "Korean": {"max_line_width": 32, "max_cps": 28.0},          # 16 and 14
    "Thai": {"max_line_width": 35},
    "Arabic": {"max_cps": 23.0},
    "Hindi": {"max_cps": 25.0},
}
PRESETS: dict[str, CueOptions] = {
    "standard": CueOptions(),
    "netflix": NETFLIX,
    # BBC subtitle guidelines: 37 characters fit teletext too, 160 to 180 words a minute are 15 to 17 characters a second, a text
    # may hang on for 1.5 s, and a rest shorter than a second looks jerky.
    "broadcast": CueOptions(max_line_width=37, max_cps=15.0, max_linger=1.5, close_gap=1.0),
    # Sung lines are heard, not read: they end with the phrase, and each word lights up in its time.
    "karaoke": CueOptions(max_line_width=40, max_gap=1.5, max_duration=10.0, max_cps=30.0, max_linger=0.5, min_gap=0.0, word_times=True),
    # Upright video: a few large words at a time, changing with the speech.
    "shorts": CueOptions(max_line_width=24, max_lines=1, max_words=5, max_gap=0.5, min_duration=0.3, max_duration=3.0, max_cps=30.0,
                         max_linger=0.3, min_gap=0.0, close_gap=0.3),
}
assert tuple(PRESETS) == get_args(PresetName)


def preset(name: str, language: str | None = None, **changes: Any) -> CueOptions:
    """The cue options of a name.

    language   of the transcript, as it names it; of several, "English,Chinese", the first counts
    changes    fields that differ from it; None leaves a field as it is

    Raises OptionError for an unknown name, and for values that are not possible together.
    """
    if name not in PRESETS:
        raise OptionError(f"preset must be one of {', '.join(PRESETS)}; got {name!r}")
    first = (language or "").partition(",")[0]
    by_language = NETFLIX_BY_LANGUAGE.get(first, {}) if name == "netflix" else {}
    return replace(PRESETS[name], **{**by_language, **{field: value for field, value in changes.items() if value is not None}})
