"""The closed domain: sentences in English, German and Chinese, cased and punctuated, numbers in words.

Knows nothing of sound. Which sentences are for training and which are held out is decided here, by their checksum.
"""
# ruff: noqa: SIM905  (word lists read better as one string)
import zlib

DIGITS = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
            "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth").split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
CITIES = "London Paris Berlin Madrid Rome Boston Chicago Dublin Oxford Vienna Tokyo Sydney".split()
# Names with a second spelling of the same sound; the first is written unless a context names the second.
NAME_PAIRS = [("Sarah", "Sara"), ("John", "Jon"), ("Steven", "Stephen"), ("Katherine", "Catherine"), ("Eric", "Erik"),
              ("Ann", "Anne"), ("Mark", "Marc"), ("Philip", "Phillip"), ("Brian", "Bryan"), ("Jeffrey", "Geoffrey")]
SECOND_SPELLING = dict(NAME_PAIRS)
OTHER_NAMES = "Peter Anna David Emma Julia Martin Laura Oliver Alice Henry".split()
NAMES = [first for first, _ in NAME_PAIRS] + OTHER_NAMES
ROOMS = [*"kitchen bedroom bathroom garage garden hall office cellar".split(), "living room", "dining room"]
ADJECTIVES = ("old young small big black white red green blue yellow happy tired quiet cold warm new strange heavy "
              "beautiful hungry clever broken empty long dark little").split()
ACTORS = "man woman boy girl dog cat horse bird teacher doctor farmer child friend driver king sailor".split()
THINGS = ("house table chair book car boat window door box bottle letter phone computer bridge tree river mountain "
          "road garden school church market station train apple cake lamp picture clock key").split()
DEEDS = "saw found bought sold opened closed moved painted lost wanted carried watched forgot loved needed".split()
MOVES = "walked ran went came jumped drove".split()
ADVERBS = "slowly quickly quietly again today yesterday together early late often".split()
PREPOSITIONS = "near under behind into across over beside".split()
FOODS = "milk bread butter cheese coffee tea sugar rice fish eggs water juice oranges apples".split()
MUSIC = "jazz rock piano folk dance classical pop".split()

COUNT_SENTENCES = [
    "The price is {n} dollars", "She bought {n} {f}", "There are {n} people in the {r}", "He is {n} years old",
    "We need {n} bottles of {f}", "It costs {n} dollars and {n2} cents", "The answer is {n}", "Count from {n} to {n2}",
    "{n} plus {n2}"]
CLOCK_SENTENCES = [
    "It is {c}.", "The train leaves at {c}.", "Wake me up at {c} in the morning.", "The meeting starts at {c} on {d}.",
    "Can you come at {c}?", "We will meet {n} at {c} tomorrow.", "Is it {c} already?"]
DATE_SENTENCES = [
    "Today is {d} {x}.", "My birthday is on {x}.", "The party is on {d} {x}.", "{n} will arrive on {x}.", "Are you free on {d}?",
    "We leave on {d} and come back on {d2}."]
COMMANDS = [
    "Turn {o} the {r} lights.", "Turn {o} the light in the {r}.", "Please {v} the {r} {w}.", "Set a timer for {n} {u}.",
    "Set the alarm for {c}.", "Play some {m} music.", "Stop the music.", "Make it a little {l}.", "Call {N} at work.",
    "Call {N} and {M}.", "Send a message to {N}.", "Remind me to buy {f} and {g} tomorrow.",
    "Add {f} and {g} to the shopping list.", "What is the weather in {C} {T}?", "How far is it from {C} to {K}?",
    "What time is it in {C}?", "Where is {N}?", "Is the {r} {w} open?", "Tell {N} that I will be late.",
    "Ask {N} to bring {f} and {g}.", "Show me the way to the {H}.", "Read my last message from {N}.",
    "Book a table for {n} on {D}.", "Set the temperature in the {r} to {n} degrees.", "Will it rain in {C} on {D}?",
    "Hello {N}, how are you today?", "Thank you very much, {N}.", "Good morning, this is {N} speaking."]
DIGIT_STARTS = ["", "The number is ", "My phone number is ", "The code is ", "Please dial ", "Your room is "]


def _number(r, limit=100):
    n = r.randrange(limit)
    if n < 10:
        return DIGITS[n]
    if n < 20:
        return TEENS[n - 10]
    return TENS[n // 10 - 2] + ("" if n % 10 == 0 else " " + DIGITS[n % 10])


def _digits(r):
    return " ".join(r.choice(DIGITS) for _ in range(r.randint(3, 8)))


def _clock(r):
    kind, hour = r.random(), (DIGITS + TEENS)[r.randint(1, 12)]
    if kind < 0.3:
        return hour + " o'clock"
    if kind < 0.45:
        return "half past " + hour
    if kind < 0.6:
        return "quarter " + r.choice(["past ", "to "]) + hour
    return hour + " " + r.choice(["ten", "fifteen", "twenty", "thirty", "forty five", "fifty"])


def _date(r):
    day = r.choice(ORDINALS) if r.random() < 0.75 else "twenty " + r.choice(ORDINALS[:9])
    return "the " + day + " of " + r.choice(MONTHS)


def _adjective(r, chance=0.6):
    return r.choice(ADJECTIVES) + " " if r.random() < chance else ""


def _with_article(phrase):
    words = phrase.split()
    for i in range(len(words) - 1):
        if words[i] in ("a", "A") and words[i + 1][0] in "aeio":
            words[i] += "n"
    return " ".join(words)


def _noun_phrase(r, nouns):
    determiner = r.choice(["the", "the", "a", "my", "this", "our", "that"])
    return _with_article(f"{determiner} {_adjective(r)}{r.choice(nouns)}")


def english(r) -> str:
    kind = r.random()
    if kind < 0.10:
        return r.choice(DIGIT_STARTS) + _digits(r) + "."
    if kind < 0.18:
        return r.choice(COUNT_SENTENCES).format(n=_number(r), n2=_number(r), f=r.choice(FOODS), r=r.choice(ROOMS)) + "."
    if kind < 0.28:
        return r.choice(CLOCK_SENTENCES).format(c=_clock(r), d=r.choice(DAYS), n=r.choice(NAMES))
    if kind < 0.36:
        return r.choice(DATE_SENTENCES).format(d=r.choice(DAYS), d2=r.choice(DAYS), x=_date(r), n=r.choice(NAMES))
    if kind < 0.66:
        return r.choice(COMMANDS).format(
            o=r.choice(["on", "off"]), r=r.choice(ROOMS), v=r.choice(["open", "close", "lock", "check", "clean"]),
            w=r.choice(["window", "door"]), n=_number(r, 60), u=r.choice(["minutes", "seconds", "hours"]), c=_clock(r),
            m=r.choice(MUSIC), l=r.choice(["louder", "warmer", "darker", "brighter"]), N=r.choice(NAMES), M=r.choice(NAMES),
            f=r.choice(FOODS), g=r.choice(FOODS), C=r.choice(CITIES), K=r.choice(CITIES),
            T=r.choice(["today", "tomorrow", "tonight"]), D=r.choice(DAYS),
            H=r.choice(["station", "market", "church", "school", "river"]))
    sentence = _story(r)
    return sentence[0].upper() + sentence[1:] + "."


def _story(r):
    kind = r.random()
    if kind < 0.35:
        return f"{_noun_phrase(r, ACTORS)} {r.choice(MOVES)} {r.choice(ADVERBS)} {r.choice(PREPOSITIONS)} {_noun_phrase(r, THINGS)}"
    if kind < 0.60:
        return f"{_noun_phrase(r, ACTORS)} {r.choice(DEEDS)} {_noun_phrase(r, THINGS)} {r.choice(ADVERBS)}"
    if kind < 0.75:
        return f"{r.choice(NAMES)} {r.choice(DEEDS)} {_noun_phrase(r, THINGS)} {r.choice(['in', 'near'])} {r.choice(CITIES)}"
    if kind < 0.88:
        return f"I think {_noun_phrase(r, ACTORS)} {r.choice(DEEDS)} {_noun_phrase(r, THINGS)} and {_noun_phrase(r, THINGS)}"
    place = _with_article("a " + _adjective(r, 1) + r.choice(THINGS))
    return f"there is {place} {r.choice(['behind', 'near', 'under', 'beside'])} {_noun_phrase(r, THINGS)}"


GERMAN_DIGITS = "null eins zwei drei vier fünf sechs sieben acht neun".split()
GERMAN_HOURS = "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf".split()
GERMAN_DAYS = "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split()
GERMAN_MONTHS = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()
GERMAN_ORDINALS = "erste zweite dritte vierte fünfte sechste siebte achte neunte zehnte elfte zwölfte".split()
GERMAN_ROOMS = ["in der Küche", "im Schlafzimmer", "im Wohnzimmer", "im Bad", "in der Garage", "im Garten", "im Büro"]
GERMAN_CITIES = "Berlin Wien Hamburg München Köln Zürich Bremen Paris".split()
GERMAN_FOODS = "Milch Brot Butter Käse Kaffee Zucker Fisch Eier Wasser Äpfel".split()
GERMAN_NAMES = "Peter Anna Julia Martin Laura Jürgen Heike Stefan".split()
GERMAN_SENTENCES = [
    "Die Nummer ist {z}.", "{Z}.", "Meine Telefonnummer ist {z}.", "Es ist {h} Uhr.", "Es ist halb {h}.",
    "Es ist Viertel {nv} {h}.", "Der Zug fährt um {h} Uhr nach {s}.", "Heute ist {t}, der {o} {m}.", "Schalte das Licht {r} {ea}.",
    "Bitte öffne das Fenster {r}.", "Bitte schließe die Tür {r}.", "Wie ist das Wetter in {s}?",
    "Wie weit ist es von {s} nach {s2}?", "Ich möchte {e} und {e2} kaufen.", "Wo ist der Bahnhof?",
    "Guten Morgen, {n}, wie geht es dir?", "Ruf bitte {n} an.", "Wir treffen uns am {t} um {h} Uhr.", "Hast du am {t} Zeit?",
    "{n} wohnt in {s}.", "Vielen Dank, {n}.", "Der alte Mann ging langsam über die Brücke.",
    "Das kleine Mädchen sah einen großen Hund.", "Stelle einen Wecker für {h} Uhr."]


def german(r) -> str:
    hour = r.choice(GERMAN_HOURS)
    return r.choice(GERMAN_SENTENCES).format(
        z=_german_digits(r), Z=_german_digits(r).capitalize(), h="ein" if hour == "eins" else hour, nv=r.choice(["vor", "nach"]),
        s=r.choice(GERMAN_CITIES), s2=r.choice(GERMAN_CITIES), t=r.choice(GERMAN_DAYS), o=r.choice(GERMAN_ORDINALS),
        m=r.choice(GERMAN_MONTHS), r=r.choice(GERMAN_ROOMS), ea=r.choice(["ein", "aus"]), e=r.choice(GERMAN_FOODS),
        e2=r.choice(GERMAN_FOODS), n=r.choice(GERMAN_NAMES))


def _german_digits(r):
    return " ".join(r.choice(GERMAN_DIGITS) for _ in range(r.randint(3, 7)))


CHINESE_DIGITS = "零一二三四五六七八九"
CHINESE_SENTENCES = [
    "今天是星期{w}。", "明天是星期{w}。", "现在是{h}点{b}。", "我的电话号码是{d}。", "号码是{d}。", "{d}。", "我有{n}个苹果。",
    "他今年{n}岁。", "请打开{r}的灯。", "请关上{r}的门。", "今天是{m}月{n}号。", "我们{w2}点见面。", "你好，今天天气怎么样？",
    "谢谢你。", "这本书{n}块钱。", "我要去{c}。", "从{c}到{c2}有多远？", "我喜欢喝{k}。", "他喜欢吃{f}。", "火车{h}点{b}到{c}。"]


def chinese(r) -> str:
    digits = "".join(r.choice(CHINESE_DIGITS) for _ in range(r.randint(3, 7)))
    return r.choice(CHINESE_SENTENCES).format(
        w=r.choice("一二三四五六"), w2=r.choice("一二三四五六七八九十"), h=r.choice("一二三四五六七八九十"),
        b=r.choice(["", "半", "十分", "二十分", "三十分"]), d=digits, n=_chinese_number(r), m=r.choice("一二三四五六七八九十"),
        r=r.choice(["厨房", "客厅", "办公室"]), c=r.choice(["北京", "上海", "学校", "火车站"]),
        c2=r.choice(["北京", "上海", "学校", "机场"]), k=r.choice(["茶", "咖啡", "牛奶", "水"]),
        f=r.choice(["鱼", "面包", "米饭", "鸡蛋"]))


def _chinese_number(r):
    tens, ones = divmod(r.randint(1, 99), 10)
    written = "" if tens == 0 else "十" if tens == 1 else CHINESE_DIGITS[tens] + "十"
    return written + (CHINESE_DIGITS[ones] if ones else "")


GENERATORS = {"English": english, "German": german, "Chinese": chinese}
HELD_OUT = {0: "test", 1: "dev"}          # by the remainder of the sentence's checksum; the rest is training text
ONLY_PLACE_OF_A_WORD = ("Make it a little ", "Play some ")     # "warmer", "piano": held out, they would never be learnt


def split_of(text: str) -> str:
    if text.startswith(ONLY_PLACE_OF_A_WORD):
        return "train"
    return HELD_OUT.get(zlib.crc32(text.encode()) % 12, "train")


def sample(language: str, r, split: str = "train") -> str:
    """A sentence of `language` that belongs to `split`; `r` is a random.Random."""
    while True:
        text = GENERATORS[language](r)
        text = text[0].upper() + text[1:]
        if split_of(text) == split:
            return text
