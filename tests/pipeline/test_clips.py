"""Clips to the model's own words: equal however they are decoded, with numbers that add up."""

from pathlib import Path

import numpy as np
import pytest

import ossicle
from ossicle import AudioError, EngineOptions, ModelError, OptionError
from ossicle.text.tokenizer import ASR_TEXT

SAMPLES = Path(ossicle.__file__).parent / "models" / "tiny" / "samples"
TEXTS = ["language English<asr_text>Henry saw a small tree near Berlin.", "language Chinese<asr_text>明天是星期五。"]


@pytest.fixture(scope="module")
def asr():
    with ossicle.load("tiny", EngineOptions("cpu")) as asr:
        yield asr


@pytest.fixture(scope="module")
def clips(asr):
    return [asr.read_clip(SAMPLES / name) for name in ("english.wav", "chinese.flac")]


@pytest.mark.parametrize("way", [{}, {"is_batched": True}, {"has_cache": False}], ids=["sequential", "batched", "no cache"])
def test_every_way_writes_the_same_with_its_markup(asr, clips, way):
    heard = asr.hear_clips(clips, **way)
    assert [clip.text for clip in heard.clips] == TEXTS
    for clip, samples in zip(heard.clips, clips, strict=True):
        assert clip.stopped_by == "eos"
        assert clip.token_ids == asr.hear_clips([samples]).clips[0].token_ids
        assert clip.num_samples == len(samples)
        assert clip.prompt_lengths[0] > clip.audio_lengths[0] > 0
    lengths = [clip.prompt_lengths[0] + clip.left_padding[0] for clip in heard.clips]
    assert lengths == ([max(lengths)] * 2 if "is_batched" in way else [clip.prompt_lengths[0] for clip in heard.clips])


def test_ids_hold_the_end_token_and_texts_do_not(asr, clips):
    clip = asr.hear_clips(clips[:1]).clips[0]
    tokenizer = asr._engine.tokenizer
    assert clip.token_ids[-1] == tokenizer.im_end
    assert tokenizer.decode(clip.token_ids[:-1]) == clip.text


def test_a_forced_language_is_not_written(asr, clips):
    assert asr.hear_clips(clips[:1], language="en").clips[0].text == TEXTS[0].partition(ASR_TEXT)[2]
    with pytest.raises(OptionError):
        asr.hear_clips(clips[:1], language="Klingon")


def test_a_limit_is_of_tokens(asr, clips):
    clip = asr.hear_clips(clips[:1], max_tokens=3).clips[0]
    assert (len(clip.token_ids), clip.stopped_by) == (3, "budget")


@pytest.mark.parametrize("is_batched", [False, True])
def test_a_clip_longer_than_a_piece_is_heard_whole_and_tagged_once(asr, clips, is_batched):
    once = asr.read_clip(SAMPLES / "english_joined.opus")
    clip, short = asr.hear_clips([np.concatenate([once] * 4), clips[0]], is_batched=is_batched).clips
    said = asr.hear_clips([once]).clips[0].text.partition(ASR_TEXT)[2]
    assert clip.text == f"language English{ASR_TEXT}{' '.join([said] * 4)}"
    assert len(clip.audio_lengths) == len(clip.prompt_lengths) == len(clip.num_frames) == 2
    assert clip.num_samples == 4 * len(once)
    assert short.text == TEXTS[0]


def test_stages_add_up_to_no_more_than_all(asr, clips):
    heard = asr.hear_clips(clips)
    stages = [heard.mel, heard.prompt, heard.encode, heard.assembly, heard.prefill, heard.steps]
    assert min(stages) > 0
    assert sum(stages) <= heard.total
    assert heard.mlx_memory == {}


def test_what_cannot_be_heard_is_refused(asr):
    with pytest.raises(AudioError, match="no samples"):
        asr.read_clip((np.zeros(0, np.float32), 16_000))
    with ossicle.load("tiny-aligner", EngineOptions("cpu")) as aligner, pytest.raises(ModelError, match="aligner"):
        aligner.hear_clips([np.zeros(16_000, np.float32)])
