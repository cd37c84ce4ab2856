"""How good a place is to end a line or a cue: what stands before and behind it, to a cost. Knows nothing of time or width.

Sentence ends are best, then clause marks, then places between phrases; a word that leans on its neighbour, an article on
its noun, a particle on its word, is not left alone. Words that lean are listed for the languages in which we could check
them; elsewhere the characters alone decide.
"""

import re
import unicodedata
from functools import lru_cache

from ossicle.formats.columns import UNSPACED, is_hiragana, is_katakana, script_of
from ossicle.formats.pieces import is_said

SENTENCE, CLAUSE, OPENING, PHRASE, WORD, TIGHT, LEANING, INSIDE = 0.0, 1.0, 1.5, 2.5, 4.0, 7.0, 11.0, 14.0
ENDS = frozenset(".!?…。！？｡．‼⁇⁈⁉।॥؟۔።։။៕")     # the last four: Ethiopic, Armenian, Burmese, Khmer
UNSURE_ENDS = frozenset(".…")                    # of abbreviations, numbers and pauses too
CLAUSE_MARKS = frozenset(",;:،؛、，；：､—–―·")
CLOSERS = frozenset("\"'”’»›)]}」』）】〕》〉】］｝")
ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st jr sr vs etc no vol fig approx dept inc ltd co corp gen col lt sgt capt rev hon "
    "bzw usw ca evtl ggf inkl nr str tel hr fr z.b d.h u.a s.o e.g i.e a.m p.m u.s u.k cf al "
    "mme mlle m sra dra ud uds sig dott ing av pág núm".split())

# Words that belong to the next one: articles, prepositions, possessives.
LEAN_ON = {
    "English": "a an the of to in on at by for with from into onto over under about through between without than as my your his her its our their this that these "
               "those and or but nor if is are was were be been not no mr mrs ms dr very i you he she we they it's i'm don't how what",
    "German": "der die das den dem des ein eine einen einem einer eines kein keine und oder aber in im am an auf aus bei mit nach von vom "
              "vor zu zum zur für über unter durch um ohne bis als wie mein dein sein ihr unser nicht sehr ich du er sie es wir dass ob",
    "French": "le la les un une des du de d' l' au aux à en dans sur sous par pour avec sans chez et ou mais ni que qui mon ma mes ton ta tes "
              "son sa ses notre nos votre vos leur leurs ce cet cette ces je tu il elle on nous vous ils elles ne se me te y très plus",
    "Spanish": "el la los las un una unos unas de del a al en con por para sin sobre entre y e o u ni pero que mi tu su mis tus sus este esta "
               "estos estas ese esa yo no se me te le lo les nos muy más como si",
    "Italian": "il lo la i gli le un uno una di del dello della dei degli delle a al allo alla ai agli alle da dal dalla in nel nella con su sul "
               "sulla per tra fra e o ma che mio mia tuo sua questo questa non si mi ti ci vi molto più se",
    "Portuguese": "o a os as um uma uns umas de do da dos das em no na nos nas a ao à por pelo pela para com sem e ou mas que meu minha seu sua "
                  "este esta esse essa não se me te lhe muito mais",
    "Dutch": "de het een van in op aan bij met naar voor door om uit over onder en of maar dat die mijn jouw zijn haar ons onze niet heel ik je "
             "jij hij zij ze we wij te",
    "Russian": "в во на с со к ко о об от до из за по под над при для без и а но или не ни что как это мой моя твой его её наш ваш я ты он она мы вы они",
    "Arabic": "في من على إلى عن مع أن إن لا ما لم لن هذا هذه ذلك تلك التي الذي كل غير بين قبل بعد عند",
    "Hindi": "और या यह वह एक इस उस मेरा मेरी मेरे आपका आपकी हमारा न",
}
# Words that belong to the one before: postpositions, and the particles of scripts without spaces.
LEAN_BACK = {
    "Hindi": "का की के को ने से में पर तक भी ही तो है हैं था थी थे हूँ रहा रही रहे",
    "Chinese": "的 了 吗 呢 吧 啊 们 着 过 地 得 嘛 呀",
    "Cantonese": "嘅 咗 呀 啦 喎 咩 哋 緊 過 㗎 囉 吖",
}
# Words that begin a phrase, where a line had better end before them.
BEGINNERS = {
    "English": "and or but because when while which who that if so then where although though before after until unless with for from",
    "German": "und oder aber weil wenn während der die das dass ob denn sondern obwohl bevor nachdem bis damit mit für von",
    "French": "et ou mais parce quand lorsque qui que dont où si donc car comme avec pour sans dans",
    "Spanish": "y o pero porque cuando mientras que quien donde si entonces aunque como con para por sin",
    "Italian": "e o ma perché quando mentre che chi dove se quindi anche come con per senza",
    "Portuguese": "e ou mas porque quando enquanto que quem onde se então embora como com para por sem",
    "Dutch": "en of maar omdat als wanneer terwijl die dat waar hoewel voordat nadat totdat met voor van",
    "Russian": "и или но а что чтобы потому когда пока который которая которые где если хотя как",
    "Arabic": "ثم أو لكن لأن عندما حيث إذا حتى بينما",
    "Hindi": "और या लेकिन क्योंकि जब कि जो अगर तो जहाँ ताकि",
}


def ends_sentence(left: str, right: str) -> bool:
    """Whether a sentence ends between two texts that stand side by side; `right` may be empty."""
    core = left.rstrip("".join(CLOSERS) + " \u00a0\u202f")
    if not core or core[-1] not in ENDS:
        return False
    if core[-1] not in UNSURE_ENDS or not right:
        return True
    begins = next((char for char in right if is_said(char)), "")
    if begins.islower():
        return False
    if core[-1] == "…" or core.endswith("..."):
        return True
    return not _is_abbreviation(core)


def place_cost(left: str, right: str, has_space: bool, language: str | None = None) -> float:
    """What it costs to part two neighbouring texts: from 0 at the end of a sentence to 14 inside a word."""
    if ends_sentence(left, right):
        return SENTENCE
    last = left.rstrip("".join(CLOSERS))[-1:] or left[-1]
    if last in CLAUSE_MARKS or (last in ENDS and not (last == "." and _is_abbreviation(left))):
        return CLAUSE
    if _is_opener(right[0]):
        return OPENING
    leans_on, leans_back, begins = _words_of(language)
    left_word, right_word = _plain(left), _plain(right)
    if left_word in leans_on or right_word in leans_back or last == ".":
        return LEANING
    if has_space and last.isdigit():
        return TIGHT                             # a number and its unit
    if has_space:
        return PHRASE if right_word in begins or script_of(left[-1]) in UNSPACED else WORD
    if left_word in leans_back:
        return WORD
    return _unspaced_cost(left[-1], right[0])


def _unspaced_cost(last: str, first: str) -> float:
    """Between two letters of which one stands in a script without spaces. There is no dictionary: writing itself has to tell."""
    if is_katakana(last) and is_katakana(first):
        return INSIDE                            # a foreign word
    if last == "を":
        return PHRASE                            # the one letter that is always a particle
    if first in "おご" and is_hiragana(last):
        return WORD
    if is_hiragana(first):
        return INSIDE if script_of(last) == "HAN" else LEANING      # an ending or a particle
    if last in "おご":
        return INSIDE                            # of courtesy, before a noun
    if is_hiragana(last):
        return PHRASE                            # a phrase has ended with its particle, and the next begins
    if "THAI" in (script_of(last), script_of(first)):
        return TIGHT if first in "เแโใไ" or last in "ะๆฯ" else INSIDE    # where a syllable surely begins or ends
    if last.isdigit():
        return LEANING                           # a number stays with what it counts
    return WORD if script_of(last) != script_of(first) else TIGHT


@lru_cache(maxsize=64)
def _words_of(language: str | None) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    on, back, begin = (frozenset(table.get(language or "", "").split()) for table in (LEAN_ON, LEAN_BACK, BEGINNERS))
    return on, back, begin


def _plain(text: str) -> str:
    return text.strip("".join(CLOSERS) + "([{«„“‚‘¿¡ \u00a0").lower().replace("’", "'")


def _is_abbreviation(text: str) -> bool:
    """Dr. | U.S. | J. | 3., as German counts days; the text ends with a full stop."""
    word = _plain(text).rstrip(".").rpartition(" ")[2]
    return word in ABBREVIATIONS or bool(re.fullmatch(r"\d{1,2}|[^\W\d_]|(?:[^\W\d_]\.)+[^\W\d_]", word))


def _is_opener(char: str) -> bool:
    return unicodedata.category(char) in ("Ps", "Pi", "Pd") or char in "¿¡"
