"""The published size, from the published format, through the front door: the official ids."""

import numpy as np
import pytest
import soundfile

import ossicle
from ossicle import DecodeOptions, EngineOptions, TranscribeOptions
from tests.checkpoints import build_full

CLIP = slice(0, 176_000)                # jfk.wav, 11 s: what the golden was made of


@pytest.mark.slow
def test_the_full_size_writes_the_official_ids(shared, tmp_path):
    golden = np.load(shared / "oracle" / "golden" / "asr_0p6b" / "c11.npz")
    samples, rate = soundfile.read(shared / "audio" / "jfk.wav", dtype="float32")
    folder = build_full(tmp_path / "0.6b", tokenizer=shared / "tokenizer")
    options = TranscribeOptions(reference=True, decode=DecodeOptions(max_tokens=16))
    with ossicle.load(folder, EngineOptions("cpu", "float32", bits=None)) as asr:
        transcript = asr.transcribe((samples[CLIP], rate), options=options)
    assert [token.id for token in transcript.chunks[0].tokens] == golden["greedy_ids"].tolist()
