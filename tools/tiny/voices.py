"""Text to speech with the free voices of Debian: text in, (samples, rate, word starts, word ends in seconds) out.

espeak-ng and flite are called through their libraries, because only those say when each word is spoken; festival is run as a
program, many sentences at a time. Knows nothing of features or of what the sentences are for.
"""
# ruff: noqa: SIM905  (word lists read better as one string)
import ctypes
import os
import subprocess
import tempfile

import numpy as np
import soundfile

ESPEAK_VOICES = {
    "English": ["gmw/en-US"] * 4 + ["gmw/en"] * 3 + ["gmw/en-GB-scotland", "gmw/en-GB-x-rp", "gmw/en-GB-x-gbclan",
                                                     "gmw/en-GB-x-gbcwmd", "gmw/en-029", "gmw/en-US-nyc"],
    "German": ["gmw/de"],
    "Chinese": ["sit/cmn"],                                # espeak-ng 1.51 reads pinyin as English text with it: "ni three"
    "Mandarin": ["sit/cmn-Latn-pinyin"],                   # and speaks Chinese with this one
}
ESPEAK_VARIANTS = (
    "m1 m2 m3 m4 m6 m7 m8 f1 f2 f3 f5 klatt klatt2 klatt3 Andy Annie adam Alex Alicia Andrea anika belinda benjamin boris "
    "caleb ed edward Gene grandma grandpa Henrique Hugo iven john Lee marcelo Michael mike pablo paul quincy rob robert "
    "sandro shelby steph victor zac Denis Diogo Jacky Mario Max").split() + [""] * 6
ESPEAK_HELD_OUT = "f4 m5 david linda travis".split()       # heard in tests only
FLITE_MEAN_F0 = {"slt": 175.0, "awb": 125.0, "rms": 95.0, "kal": 105.0, "kal16": 105.0}
FLITE_DIPHONE = ("kal", "kal16")                           # pitch is a target in Hz; the others take a factor


def words_of(text: str, language: str) -> list[tuple[int, int]]:
    """First character and one past the last of every word; in Chinese of every character."""
    if language == "Chinese":
        return [(i, i + 1) for i, char in enumerate(text) if char not in "。，？"]
    spans, start = [], 0
    for word in text.split(" "):
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return spans


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _EspeakEvent(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("unique", ctypes.c_uint), ("position", ctypes.c_int), ("length", ctypes.c_int),
                ("milliseconds", ctypes.c_int), ("sample", ctypes.c_int), ("user", ctypes.c_void_p), ("id", _EventId)]


class Espeak:
    """libespeak-ng with its word and phoneme events."""

    WORD_EVENT, PHONEME_EVENT, PHONEME_EVENTS, RETRIEVE_SAMPLES, UTF8 = 1, 7, 1, 1, 1
    NO_SOUND = (b"_", b"(")                                # how the names of pauses and of changes of language begin
    RATE, PITCH, PITCH_RANGE = 1, 3, 4

    def __init__(self):
        self.espeak = ctypes.CDLL("libespeak-ng.so.1")
        self.rate = self.espeak.espeak_Initialize(self.RETRIEVE_SAMPLES, 0, None, self.PHONEME_EVENTS)
        callback_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int,
                                         ctypes.POINTER(_EspeakEvent))
        self.callback = callback_type(self._collect)       # kept: the library holds only a pointer to it
        self.espeak.espeak_SetSynthCallback(self.callback)
        self.voice = None

    def _collect(self, samples, count, events):
        if count > 0 and samples:
            self.pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type:
            if events[i].type == self.WORD_EVENT:
                self.events.append((events[i].position - 1, events[i].milliseconds / 1000))
            elif events[i].type == self.PHONEME_EVENT:
                name = ctypes.string_at(ctypes.addressof(events[i].id), 8)
                self.phonemes.append((events[i].milliseconds / 1000, not name.startswith(self.NO_SOUND)))
            i += 1
        return 0

    def speak(self, text: str, language: str, voice: str, words_per_minute: int, pitch: int, pitch_range: int):
        self.pieces, self.events, self.phonemes = [], [], []
        if voice != self.voice:
            if self.espeak.espeak_SetVoiceByName(voice.encode()) != 0:
                raise ValueError(f"espeak-ng has no voice {voice}")
            self.voice = voice
        for parameter, value in ((self.RATE, words_per_minute), (self.PITCH, pitch), (self.PITCH_RANGE, pitch_range)):
            self.espeak.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode() + b"\0"
        self.espeak.espeak_Synth(encoded, len(encoded), 0, 1, 0, self.UTF8, None, None)
        self.espeak.espeak_Synchronize()
        samples = np.concatenate(self.pieces).astype(np.float32) / 32768
        starts = self._starts(text, language, len(samples) / self.rate)
        return samples, self.rate, starts, self._ends(starts, len(samples) / self.rate)

    def _starts(self, text, language, seconds):
        spans, first = words_of(text, language), {}
        for position, start in self.events:
            word = max([i for i, (begin, _) in enumerate(spans) if begin <= position] or [0])
            first.setdefault(word, start)
        known = [0] + [i for i in range(1, len(spans)) if i in first] + [len(spans)]
        times = [first.get(0, 0.0)] + [first[i] for i in known[1:-1]] + [seconds]
        return list(np.interp(range(len(spans)), known, times))   # words without an event are spread evenly


    def _ends(self, starts, seconds):
        """The next word's start, or that of the pause before it."""
        ends = []
        for start, end in zip(starts, [*starts[1:], seconds]):
            events = [event for event in self.phonemes if start <= event[0] < end]
            while events and not events[-1][1]:
                end = events.pop()[0]
            ends.append(end)
        return ends


class _FliteVoice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]


class _FliteWave(ctypes.Structure):
    _fields_ = [("type", ctypes.c_char_p), ("rate", ctypes.c_int), ("count", ctypes.c_int), ("channels", ctypes.c_int),
                ("samples", ctypes.POINTER(ctypes.c_short))]


class Flite:
    """libflite: one voice, word starts and ends read from its segments."""

    # The library keeps these pointers and copies nothing: the names must outlive every call.
    STRETCH, TARGET_F0, F0_FACTOR = (ctypes.c_char_p(name) for name in (b"duration_stretch", b"int_f0_target_mean", b"f0_shift"))

    def __init__(self, voice: str):
        self.name = voice
        for needed in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
            ctypes.CDLL(needed, mode=ctypes.RTLD_GLOBAL)
        self.flite = library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        voice_library = ctypes.CDLL(f"libflite_cmu_us_{voice}.so.1")
        for function in (library.flite_synth_text, library.utt_wave, library.utt_relation, library.relation_head,
                         library.item_next):
            function.restype = ctypes.c_void_p
        library.flite_ffeature_float.restype = ctypes.c_float
        library.flite_init()
        register = getattr(voice_library, f"register_cmu_us_{voice}")
        register.restype = ctypes.POINTER(_FliteVoice)
        self.voice = register(None)

    def speak(self, text: str, stretch: float, f0: float):
        """stretch multiplies durations; f0 is the mean pitch in Hz."""
        library, features = self.flite, ctypes.c_void_p(self.voice.contents.features)
        library.flite_feat_set_float(features, self.STRETCH, ctypes.c_float(stretch))
        if self.name in FLITE_DIPHONE:
            library.flite_feat_set_float(features, self.TARGET_F0, ctypes.c_float(f0))
        else:
            library.flite_feat_set_float(features, self.F0_FACTOR, ctypes.c_float(f0 / FLITE_MEAN_F0[self.name]))
        utterance = ctypes.c_void_p(library.flite_synth_text(text.encode(), self.voice))
        wave = ctypes.cast(library.utt_wave(utterance), ctypes.POINTER(_FliteWave)).contents
        samples = np.ctypeslib.as_array(wave.samples, (wave.count,)).astype(np.float32) / 32768
        rate, starts, ends = wave.rate, [], []
        word = library.relation_head(ctypes.c_void_p(library.utt_relation(utterance, b"Word")))
        while word:
            starts.append(library.flite_ffeature_float(ctypes.c_void_p(word),
                                                       b"R:SylStructure.daughter1.daughter1.R:Segment.p.end"))
            ends.append(library.flite_ffeature_float(ctypes.c_void_p(word), b"R:SylStructure.daughtern.daughtern.R:Segment.end"))
            word = library.item_next(ctypes.c_void_p(word))
        library.delete_utterance(utterance)
        return samples, rate, *((starts, ends) if len(starts) == len(text.split()) else (None, None))


def festival(voice: str, sentences: list[tuple[str, float]]):
    """Speak (text, stretch) pairs in one festival process; yields (text, samples, rate, starts, ends)."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"(voice_{voice})"]
        for i, (text, stretch) in enumerate(sentences):
            lines.append(f"""(Parameter.set 'Duration_Stretch {stretch:.2f})
(set! u (utt.synth (Utterance Text "{text}")))
(utt.save.wave u "{folder}/{i}.wav" 'riff)
(format t "WORDS {i}")
(mapcar (lambda (w) (format t " %f %f" (item.feat w 'word_start) (item.feat w 'word_end))) (utt.relation.items u 'Word))
(format t "\\n")""")
        script = f"{folder}/speak.scm"
        with open(script, "w") as file:
            file.write("\n".join(lines))
        output = subprocess.run(["festival", "-b", script], capture_output=True, text=True).stdout
        for line in output.splitlines():
            if not line.startswith("WORDS "):
                continue
            index, *times = line.split()[1:]
            text, path = sentences[int(index)][0], f"{folder}/{index}.wav"
            if os.path.exists(path):
                samples, rate = soundfile.read(path, dtype="float32")
                times = [float(time) for time in times] if len(times) == 2 * len(text.split()) else None
                yield text, samples, rate, *((times[::2], times[1::2]) if times else (None, None))
