"""Synthesise the corpus: sentences of the domain in, shards of log-mel with words and word times out.

A shard NAME is NAME.npy (frames of all clips, float16 log10 mel before floor and scale) and NAME.json (one record a clip);
test and dev shards also have NAME.wav.npy (int16 samples) and NAME.wav.json (their counts). What the sentences are is in
domain.py, who speaks them in voices.py.

usage: corpus.py FOLDER [--share 0.02] [--jobs 2] [SHARD ...]        without names: every shard that is not there yet
"""
import argparse
import json
import os
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import soxr
import torch

from domain import sample
from mel import FRAMES_PER_SECOND, SAMPLE_RATE, raw_log_mel
from voices import ESPEAK_HELD_OUT, ESPEAK_VARIANTS, ESPEAK_VOICES, FLITE_MEAN_F0, Espeak, Flite, festival

# shard: (source, seed, clips). Sources: espeak:LANGUAGE[:held-out or :mandarin], flite:VOICE, festival:VOICE, noise.
SHARDS = {
    "train_slt": ("flite:slt", 116, 3500),
    "train_en1": ("espeak:English", 111, 4000),
    "train_de1": ("espeak:German", 115, 2500),
    "train_zh1": ("espeak:Chinese", 117, 2500),
    "train_noise": ("noise", 131, 500),
    "dev_en": ("espeak:English", 141, 60),
    "dev_rms": ("flite:rms", 142, 60),
    "dev_de": ("espeak:German", 143, 60),
    "dev_zh": ("espeak:Chinese", 144, 60),
    "train_awb": ("flite:awb", 121, 2500),
    "train_kal16": ("flite:kal16", 122, 1200),
    "train_hts": ("festival:cmu_us_slt_arctic_hts", 123, 700),
    "train_ked": ("festival:ked_diphone", 124, 700),
    "train_fkal": ("festival:kal_diphone", 125, 400),
    "train_kal": ("flite:kal", 126, 600),
    "train_en2": ("espeak:English", 112, 4000),
    "train_de2": ("espeak:German", 118, 2500),
    "train_zh2": ("espeak:Chinese", 119, 2500),
    "train_en3": ("espeak:English", 113, 4000),
    "train_en4": ("espeak:English", 114, 4000),
    "train_slt2": ("flite:slt", 161, 2500),
    "train_en5": ("espeak:English", 162, 4000),
    "train_awb2": ("flite:awb", 163, 2000),
    "train_cmn1": ("espeak:Chinese:mandarin", 164, 3000),  # for the aligner; the recogniser was made before
    "dev_cmn": ("espeak:Chinese:mandarin", 145, 60),
    "test_cmn": ("espeak:Chinese:mandarin", 159, 100),
    "test_en": ("espeak:English", 151, 150),
    "test_enheld": ("espeak:English:held-out", 152, 150),
    "test_slt": ("flite:slt", 153, 80),
    "test_hts": ("festival:cmu_us_slt_arctic_hts", 154, 30),
    "test_ked": ("festival:ked_diphone", 155, 30),
    "test_rms": ("flite:rms", 156, 150),
    "test_de": ("espeak:German", 157, 100),
    "test_zh": ("espeak:Chinese", 158, 100),
}


def build_shard(folder: str, name: str, share: float = 1.0) -> None:
    source, seed, count = SHARDS[name]
    count = max(1, round(count * share))
    torch.set_num_threads(1)
    split = name.split("_")[0]
    random_ = random.Random(seed)
    mels, waves, records = [], [], []
    for samples, record in _clips(source, count, split, random_):
        mel = raw_log_mel(samples * 0.5)
        mels.append(mel.half().numpy())
        waves.append((samples * 16000).astype(np.int16))
        records.append(record | {"frames": len(mel)})
    path = os.path.join(folder, name)
    np.save(path + ".npy", np.concatenate(mels))
    if split != "train":
        np.save(path + ".wav.npy", np.concatenate(waves))
        with open(path + ".wav.json", "w") as file:
            json.dump([len(w) for w in waves], file)
    with open(path + ".partial", "w") as file:
        json.dump(records, file, ensure_ascii=False)
    os.replace(path + ".partial", path + ".json")          # the .json is what says that a shard is whole
    hours = sum(r["frames"] for r in records) / FRAMES_PER_SECOND / 3600
    timed = sum(r["starts"] is not None for r in records)
    print(f"{name}: {len(records)} clips, {hours:.2f} h, {timed} with word times", flush=True)


def _clips(source, count, split, random_):
    """Yield (samples at 16 kHz, record) pairs."""
    kind, _, rest = source.partition(":")
    if kind == "noise":
        for _ in range(count):
            yield noise(random_), {"text": "", "language": "None", "voice": "noise", "starts": None, "ends": None}
        return
    speak = {"espeak": _espeak_clips, "flite": _flite_clips, "festival": _festival_clips}[kind]
    for text, language, voice, samples, rate, starts, ends, speed in speak(rest, count, split, random_):
        samples, starts, ends = _finish(samples, rate, starts, ends, speed, random_)
        if len(samples) >= 0.3 * SAMPLE_RATE:
            yield samples, {"text": text, "language": language, "voice": voice, "starts": starts, "ends": ends}


def _espeak_clips(source, count, split, random_):
    language, _, kind = source.partition(":")
    espeak = Espeak()
    variants = ESPEAK_HELD_OUT if kind == "held-out" else [v for v in ESPEAK_VARIANTS if language != "Chinese" or v != "rob"]
    for _ in range(count):                                 # the variant rob crashes the library in Chinese
        text, variant = sample(language, random_, split), random_.choice(variants)
        voice = random_.choice(ESPEAK_VOICES["Mandarin" if kind == "mandarin" else language]) + ("+" + variant if variant else "")
        spoken = espeak.speak(text, language, voice, random_.randint(120, 215), random_.randint(15, 85), random_.randint(30, 80))
        speed = random_.uniform(0.84, 1.18) if random_.random() < 0.4 else 1.0
        yield text, language, "espeak/" + voice, *spoken, speed


def _flite_clips(voice, count, split, random_):
    flite = Flite(voice)
    for _ in range(count):
        text, tempo = sample("English", random_, split), random_.uniform(0.8, 1.25)
        speed, f0 = 1.0, FLITE_MEAN_F0[voice]
        if split == "train" and random_.random() < 0.75:   # a speaker that does not exist: formants and pitch moved apart
            speed = random_.uniform(0.8, 1.22)
            f0 = min(260.0, max(70.0, f0 * 2 ** random_.uniform(-0.8, 0.6))) / speed
        yield text, "English", "flite/" + voice, *flite.speak(text, tempo * speed, f0), speed


def _festival_clips(voice, count, split, random_):
    wanted = []
    for _ in range(count):
        speed = random_.uniform(0.82, 1.2) if split == "train" and random_.random() < 0.6 else 1.0
        wanted.append((sample("English", random_, split), random_.uniform(0.8, 1.2) * speed, speed))
    speeds = {text: speed for text, _, speed in wanted}
    for text, samples, rate, starts, ends in festival(voice, [(text, stretch) for text, stretch, _ in wanted]):
        yield text, "English", "festival/" + voice, samples, rate, starts, ends, speeds[text]


def _finish(samples, rate, starts, ends, speed, random_):
    """16 kHz at `speed` (pitch and formants move with it), trimmed, one clip in four with reverberation."""
    samples = soxr.resample(samples, rate * speed, SAMPLE_RATE).astype(np.float32)
    samples, cut_seconds = _trim(samples / (np.abs(samples).max() + 1e-6))
    if starts is not None:
        seconds = len(samples) / SAMPLE_RATE
        starts, ends = ([round(min(seconds, max(0.0, float(time) / speed - cut_seconds)), 3) for time in times] for times in (starts, ends))
    if random_.random() < 0.25:
        count = int(SAMPLE_RATE * random_.uniform(0.05, 0.4))
        noise_ = np.random.default_rng(random_.randrange(1 << 30)).standard_normal(count)
        room = noise_ * np.exp(-6.9 * np.arange(count) / count) * random_.uniform(0.02, 0.12)
        room[0] = 1
        samples = np.convolve(samples, room)[: len(samples) + 800].astype(np.float32)
        samples /= np.abs(samples).max()
    return samples, starts, ends


def _trim(samples, threshold=0.004):
    loud = np.flatnonzero(np.abs(samples) > threshold)
    if not len(loud):
        return samples, 0.0
    start = max(0, loud[0] - SAMPLE_RATE // 50)
    return samples[start: loud[-1] + SAMPLE_RATE // 25], start / SAMPLE_RATE


def noise(random_, seconds: float | None = None) -> np.ndarray:
    """(samples,) of what is not speech: hiss of any colour, mains hum, tones, clicks, rumble, digital silence."""
    generator = np.random.default_rng(random_.randrange(1 << 30))
    count = int(SAMPLE_RATE * (seconds or random_.uniform(4, 12)))
    time = np.arange(count) / SAMPLE_RATE
    spectrum = np.fft.rfft(generator.standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / SAMPLE_RATE) + 20
    hiss = np.fft.irfft(spectrum * frequencies ** -random_.uniform(0, 1.2), count)
    sound = hiss / np.abs(hiss).max() * 10 ** random_.uniform(-3.5, 0)
    kind = random_.randrange(6)
    if kind == 0:                                          # mains hum and its overtones
        base = random_.choice([50, 60, 100, 120])
        sound += sum(random_.uniform(0, 1) / k * np.sin(2 * np.pi * base * k * time + k) for k in range(1, 6))
    elif kind == 1:                                        # beeps
        gate = (time % random_.uniform(0.3, 2)) < random_.uniform(0.05, 0.3)
        sound += gate * np.sin(2 * np.pi * random_.uniform(200, 3000) * time)
    elif kind == 2:                                        # clicks and knocks
        for at in generator.integers(0, max(1, count - 2000), random_.randint(1, 20)):
            knock = generator.standard_normal(1600) * np.exp(-np.arange(1600) / random_.uniform(20, 300))
            sound[at: at + 1600] += knock[: count - at]
    elif kind == 3:                                        # slow swells, as wind or traffic
        sound *= 1 + np.sin(2 * np.pi * random_.uniform(0.1, 3) * time + 1)
    return (sound / max(1e-9, np.abs(sound).max()) * 10 ** random_.uniform(-3, -0.05)).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("shards", nargs="*", default=list(SHARDS))
    parser.add_argument("--share", type=float, default=1.0, help="of each shard's clips, to try the recipe out")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    missing = [name for name in options.shards if not os.path.exists(os.path.join(options.folder, name + ".json"))]
    # A process for every shard: libespeak-ng hangs when it is set up twice in one.
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        list(pool.map(build_shard, [options.folder] * len(missing), missing, [options.share] * len(missing)))


if __name__ == "__main__":
    main()
