"""What people call a language (name, native name, code, BCP-47 tag, dialect) to the one name the model knows.

Knows nothing of tokens. The model was trained on English names only: any other word in the prompt is off its
training, so a name that is not understood is refused, never passed on and never taken for English.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ossicle.errors import OptionError


@dataclass(frozen=True)
class Language:
    """A language as the model names it."""

    name: str                        # English, first letter upper: the word in the prompt
    native_name: str
    code: str | None                 # ISO 639-1, or 639-3 where there is no shorter one; None: not in our table
    code3: str | None = None         # ISO 639-3
    can_align: bool = False          # one of the forced aligner's eleven
    dialect: str | None = None       # what was asked for, where that is a dialect of this language


# As published, in that order: name, native name, code, ISO 639-3, then every other form that is taken for it.
_TABLE = (
    ("Chinese", "中文", "zh", "zho", "chi|cmn|mandarin|mandarin chinese|chinese (mandarin)|putonghua|guoyu|"
     "simplified chinese|traditional chinese|chinese (simplified)|chinese (traditional)|"
     "汉语|漢語|普通话|普通話|国语|國語|华语|華語"),
    ("English", "English", "en", "eng", "american english|british english"),
    ("Cantonese", "粵語", "yue", "yue", "粤语|廣東話|广东话|廣州話|广州话|chinese (cantonese)|guangdonghua"),
    ("Arabic", "العربية", "ar", "ara", "arb|عربي|عربية"),
    ("German", "Deutsch", "de", "deu", "ger"),
    ("French", "Français", "fr", "fra", "fre"),
    ("Spanish", "Español", "es", "spa", "castellano|castilian"),
    ("Portuguese", "Português", "pt", "por", "brazilian portuguese|português brasileiro|português do brasil"),
    ("Indonesian", "Bahasa Indonesia", "id", "ind", "in"),
    ("Italian", "Italiano", "it", "ita", ""),
    ("Korean", "한국어", "ko", "kor", "조선말"),
    ("Russian", "Русский", "ru", "rus", "русский язык"),
    ("Thai", "ไทย", "th", "tha", "ภาษาไทย"),
    ("Vietnamese", "Tiếng Việt", "vi", "vie", ""),
    ("Japanese", "日本語", "ja", "jpn", "日语|日文"),
    ("Turkish", "Türkçe", "tr", "tur", ""),
    ("Hindi", "हिन्दी", "hi", "hin", "हिंदी"),
    ("Malay", "Bahasa Melayu", "ms", "msa", "may|zsm|melayu|malaysian|bahasa malaysia"),
    ("Dutch", "Nederlands", "nl", "nld", "dut|flemish|vlaams"),
    ("Swedish", "Svenska", "sv", "swe", ""),
    ("Danish", "Dansk", "da", "dan", ""),
    ("Finnish", "Suomi", "fi", "fin", "suomen kieli"),
    ("Polish", "Polski", "pl", "pol", "język polski"),
    ("Czech", "Čeština", "cs", "ces", "cze|česky|český jazyk"),
    ("Filipino", "Filipino", "fil", "fil", "tl|tgl|tagalog|pilipino|wikang filipino"),
    ("Persian", "فارسی", "fa", "fas", "per|pes|prs|farsi|dari"),
    ("Greek", "Ελληνικά", "el", "ell", "gre"),
    ("Romanian", "Română", "ro", "ron", "rum|mo|moldovan|limba română"),
    ("Hungarian", "Magyar", "hu", "hun", "magyar nyelv"),
    ("Macedonian", "Македонски", "mk", "mkd", "mac|македонски јазик"),
)

# The 22 dialects that the model hears, and the name under which it reports them: dialect, language, other forms.
_DIALECTS = (
    ("Anhui", "Chinese", "安徽"), ("Dongbei", "Chinese", "东北|東北|northeastern mandarin|northeastern chinese"),
    ("Fujian", "Chinese", "福建"), ("Gansu", "Chinese", "甘肃|甘肅"), ("Guizhou", "Chinese", "贵州|貴州"),
    ("Hebei", "Chinese", "河北"), ("Henan", "Chinese", "河南"), ("Hubei", "Chinese", "湖北"),
    ("Hunan", "Chinese", "湖南"), ("Jiangxi", "Chinese", "江西"), ("Ningxia", "Chinese", "宁夏|寧夏"),
    ("Shandong", "Chinese", "山东|山東"), ("Shaanxi", "Chinese", "陕西|陝西"), ("Shanxi", "Chinese", "山西"),
    ("Sichuan", "Chinese", "四川|szechuan|szechwan|szechuanese"), ("Tianjin", "Chinese", "天津"),
    ("Yunnan", "Chinese", "云南|雲南"), ("Zhejiang", "Chinese", "浙江"),
    ("Wu", "Chinese", "吴语|吳語|wuu|shanghainese|上海话|上海話"),
    ("Minnan", "Chinese", "闽南|閩南|nan|min nan|southern min|hokkien"),
    ("Hong Kong", "Cantonese", "香港|hongkong|hong kong cantonese|cantonese (hong kong)"),
    ("Guangdong", "Cantonese", "guangdong cantonese|cantonese (guangdong)"),
)

_ALIGNED = frozenset((
    "Chinese", "Cantonese", "English", "German", "Spanish", "French", "Italian", "Portuguese", "Russian", "Korean",
    "Japanese",
))
_CANTONESE_REGIONS = frozenset(("hk", "mo"))   # what zh-HK and zh-MO speak; cmn-HK says Mandarin in so many words

# language, up to three extended subtags, script, region, then whatever: RFC 5646, lower case
_TAG = re.compile(r"(?P<base>[a-z]{2,3})(?P<extended>(-[a-z]{3}){0,3})(-[a-z]{4})?(-(?P<region>[a-z]{2}|\d{3}))?"
                  r"(-([a-z0-9]{5,8}|\d[a-z0-9]{3}))*(-[a-wyz0-9](-[a-z0-9]{2,8})+)*(-x(-[a-z0-9]{1,8})+)?")


def find_language(text: str, supported: Iterable[str] | None = None) -> Language:
    """The language that `text` means.

    text       a name in English or in the language itself, an ISO 639 code, a BCP-47 tag, a POSIX locale or one of
               the 22 dialects; case, accents and `_` for `-` do not matter
    supported  the names that a checkpoint knows (`support_languages` of its config.json); None is all thirty

    Raises OptionError for anything else, with the nearest names.
    """
    names = None if supported is None else list(supported)
    key = _key(text)
    for name in names or ():
        if _key(name) == key and key not in _BY_KEY:   # a checkpoint taught more than the thirty
            return Language(name, name, None)
    found = lookup_language(text)
    if found is None:
        raise OptionError(f"language must be one that the model knows, got {text[:80]!r}{_nearest(key[:80], names)}; "
                          "`ossicle languages` lists them all; without a language the model hears for itself")
    if names is not None and found.name.casefold() not in {name.casefold() for name in names}:
        raise OptionError(f"language must be one that this checkpoint knows ({', '.join(names)}), got {text!r} "
                          f"({found.name}); without a language the model hears for itself")
    return found


def lookup_language(text: str) -> Language | None:
    """As `find_language` among all thirty; None where nothing is found."""
    key = _key(text)
    return _BY_KEY.get(key) or _find_tag(key)


def all_languages() -> tuple[Language, ...]:
    """The thirty languages of the published models, in their order."""
    return _LANGUAGES


def all_dialects() -> tuple[Language, ...]:
    """The 22 dialects: each the language that the model reports, with `dialect` set."""
    return _DIALECT_LANGUAGES


def code_of(name: str) -> str | None:
    """The code of a language by its English name (`zh`, `yue`, `fil`); None for any other text."""
    return next((language.code for language in _LANGUAGES if language.name.casefold() == name.strip().casefold()), None)


def canonical_name(name: str) -> str:
    """The form in which the model writes and reads a name: first letter upper, the rest lower, whatever the name."""
    name = name.strip()
    return name[:1].upper() + name[1:].lower()


def merge_languages(names: Iterable[str]) -> str:
    """One line for the languages of successive chunks: without empties and consecutive repeats, joined by commas."""
    merged: list[str] = []
    for name in names:
        if name and merged[-1:] != [name]:
            merged.append(name)
    return ",".join(merged)


def _key(text: str) -> str:
    """The form in which names are compared: no case, no accents, one space between words, `-` for `_`."""
    spread = unicodedata.normalize("NFKD", text).casefold().replace("_", "-")
    bare = "".join(char for char in spread if not "\u0300" <= char <= "\u036f")
    return " ".join(bare.split())


def _find_tag(key: str) -> Language | None:
    match = _TAG.fullmatch(re.split("[.@]", key)[0])   # a POSIX locale goes on: en_US.UTF-8, de_DE@euro
    found = _BY_KEY.get(match["base"]) if match else None
    if match is None or found is None:
        return None
    if match["extended"]:                              # zh-yue, zh-cmn, zh-min-nan
        narrow = _BY_KEY.get(match["extended"].split("-")[-1])
        family = {found.name, "Cantonese"} if found.name == "Chinese" else {found.name}
        return narrow if narrow and narrow.name in family else None
    if match["base"] in ("zh", "zho", "chi") and match["region"] in _CANTONESE_REGIONS:
        return _BY_KEY["yue"]
    return found


def _nearest(key: str, names: list[str] | None) -> str:
    allowed = None if names is None else {name.casefold() for name in names}
    keys = [k for k, language in _BY_KEY.items() if allowed is None or language.name.casefold() in allowed]
    near = [_BY_KEY[k] for k in difflib.get_close_matches(key, keys, n=4)]
    if near:
        listed = dict.fromkeys(language.dialect or language.name for language in near)
        return f"; did you mean {' or '.join(listed)}?"
    return "" if names is None else "; this checkpoint knows " + ", ".join(names)


def _read_table() -> tuple[Language, ...]:
    return tuple(Language(name, native, code, code3, name in _ALIGNED) for name, native, code, code3, _ in _TABLE)


def _read_dialects() -> tuple[Language, ...]:
    by_name = {language.name: language for language in _LANGUAGES}
    return tuple(replace(by_name[name], dialect=dialect) for dialect, name, _ in _DIALECTS)


def _read_keys() -> dict[str, Language]:
    """Every form that is understood. Dialects come first, so that a language's own forms win."""
    found: dict[str, Language] = {}
    for language, (dialect, _, forms) in zip(_DIALECT_LANGUAGES, _DIALECTS):
        stems = [dialect, *forms.split("|")]
        for form in (*stems, *(f"{stem}{end}" for stem in stems for end in ("ese", " dialect", " accent", "话", "話"))):
            found[_key(form)] = language
    for language, (name, native, code, code3, forms) in zip(_LANGUAGES, _TABLE):
        for form in (name, native, code, code3, *forms.split("|")):
            if form:
                found[_key(form)] = language
    return found


_LANGUAGES = _read_table()
_DIALECT_LANGUAGES = _read_dialects()
_BY_KEY = _read_keys()
