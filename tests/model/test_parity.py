"""Every engine's numbers against the official implementation's, float32 on a CPU."""

import numpy as np
import pytest

from ossicle.model.network import Capture
from tests import goldens
from tests.model.conftest import load
from tests.model.decoding import decode_greedily, prompt_embeddings
from tests.model.sources import ALIGNER_CLIPS, CLIPS, HAS_WORKSHOP, Committed, Workshop, name_of

STATES = 1e-4      # float32 in another order of summation; the two implementations compared first differed by 1e-5
LOGITS = 5e-4      # the head multiplies that by the length of an embedding

needs_workshop = pytest.mark.skipif(not HAS_WORKSHOP, reason="needs the workshop's recorded speech")


@pytest.mark.parametrize(("source", "clip"), CLIPS, ids=name_of)
def test_encoder_equals_official(networks, source, clip):
    network = networks(source.name, "asr")
    rows = network.read(network.encode(source.mel(clip)))
    np.testing.assert_allclose(rows, source.load(clip)["audio_embeds"], rtol=0, atol=STATES)


@pytest.mark.parametrize(("source", "clip"), CLIPS, ids=name_of)
def test_stem_equals_official(networks, source, clip):
    network, arrays = networks(source.name, "asr"), source.load(clip)
    rows = network.read(network.stem(source.mel(clip)))
    np.testing.assert_allclose(rows[arrays["rows_tokens"]], arrays["enc_in"], rtol=0, atol=STATES)


@pytest.mark.parametrize(("source", "clip"), CLIPS, ids=name_of)
def test_prefill_and_steps_equal_official(networks, source, clip):
    network, arrays = networks(source.name, "asr"), source.load(clip)
    audio = network.encode(source.mel(clip))
    output = network.forward(prompt_embeddings(network, arrays["prompt_ids"], audio), network.new_cache(), logits_at="all")
    logits = network.read(output.logits)[0]
    np.testing.assert_allclose(logits[arrays["rows_logits"]], arrays["prefill_logits"], rtol=0, atol=LOGITS)
    ids, steps = decode_greedily(network, arrays["prompt_ids"], audio, len(arrays["greedy_ids"]))
    np.testing.assert_allclose(steps[: len(arrays["step_logits"])], arrays["step_logits"], rtol=0, atol=LOGITS)
    assert ids == arrays["greedy_ids"].tolist()


@pytest.mark.parametrize("variant", ["context", "forced", "both"])
@pytest.mark.parametrize(("source", "clip"), CLIPS, ids=name_of)
def test_other_prompts_equal_official(networks, source, clip, variant):
    network, arrays = networks(source.name, "asr"), source.load(clip)
    audio = network.encode(source.mel(clip))
    ids, steps = decode_greedily(network, arrays[f"prompt_ids_{variant}"], audio, len(arrays[f"greedy_ids_{variant}"]))
    np.testing.assert_allclose(steps[0], arrays[f"first_logits_{variant}"], rtol=0, atol=LOGITS)
    assert ids == arrays[f"greedy_ids_{variant}"].tolist()


@pytest.mark.parametrize("layout", ["original", "hf"])
def test_layouts_hold_the_same_network(engine, network, layout, tmp_path):
    other = load(engine, goldens.build_asr(tmp_path, layout=layout))
    mel, prompt = Committed().mel("c3p6"), goldens.load("c3p6")["prompt_ids"]
    expected = network.forward(prompt_embeddings(network, prompt, network.encode(mel)), network.new_cache()).logits
    got = other.forward(prompt_embeddings(other, prompt, other.encode(mel)), other.new_cache()).logits
    np.testing.assert_array_equal(other.read(got), network.read(expected))


@pytest.mark.parametrize(("source", "clip"), ALIGNER_CLIPS, ids=name_of)
def test_aligner_equals_official(networks, source, clip):
    network, arrays = networks(source.name, "aligner"), source.load_aligner(clip)
    prompt = arrays["prompt_ids"]
    embeddings = prompt_embeddings(network, prompt, network.encode(source.mel(clip)))
    stamps = np.flatnonzero(prompt == network.config.timestamp_token_id).tolist()
    logits = network.read(network.forward(embeddings, network.new_cache(), logits_at=stamps).logits)[0]
    np.testing.assert_allclose(logits, arrays["stamp_logits"], rtol=0, atol=LOGITS)
    np.testing.assert_allclose(logits.argmax(-1) * network.config.timestamp_seconds * 1000, arrays["raw_ms"])


def test_captured_queries_give_the_official_attention(network):
    arrays = goldens.load("c3p6")
    audio, rows = network.encode(Committed().mel("c3p6")), arrays["attention_rows"]
    ids = np.concatenate([arrays["prompt_ids"], arrays["greedy_ids"]])
    heads = tuple((int(layer), int(head)) for layer, head in arrays["attention_heads"])
    cache = network.new_cache()
    output = network.forward(prompt_embeddings(network, ids, audio), cache, None, Capture(heads, rows.tolist()))
    queries = network.read(output.queries)[0]                                           # (heads, rows, head_dim)
    for index, (layer, head) in enumerate(heads):
        keys = network.read(cache.keys(layer, head, 0, cache.length))[0]                # (positions, head_dim)
        scores = queries[index] @ keys.T / np.sqrt(keys.shape[-1])
        scores = np.where(np.arange(len(ids)) <= rows[:, None], scores, -np.inf)
        attention = np.exp(scores - scores.max(-1, keepdims=True))
        attention /= attention.sum(-1, keepdims=True)
        np.testing.assert_allclose(attention, arrays["attention"][index], rtol=0, atol=STATES)


@needs_workshop
def test_published_vocabulary_equals_official(engine, tmp_path):
    workshop = Workshop()
    network = load(engine, workshop.build(tmp_path, vocab_mode="published"))
    for clip in ("c5", "c11"):
        arrays = workshop.read(f"asr_tiny_published/{clip}")
        for variant in ("plain", "both"):
            ids, steps = decode_greedily(network, arrays[f"prompt_ids_{variant}"], network.encode(workshop.mel(clip)), 32)
            assert ids == arrays[f"greedy_ids_{variant}"].tolist()
            best = np.take_along_axis(steps, arrays[f"top_ids_{variant}"], axis=-1)
            np.testing.assert_allclose(best, arrays[f"top_logits_{variant}"], rtol=0, atol=LOGITS)


@needs_workshop
def test_left_padded_batch_equals_official(networks):
    workshop, network = Workshop(), networks("workshop", "asr")
    arrays = workshop.read("asr_tiny/batch")
    padding = (arrays["attention_mask"] == 0).sum(1).tolist()
    rows = [
        prompt_embeddings(network, ids[left:], network.encode(batch_mel(workshop, clip, arrays)))
        for clip, ids, left in zip(("c3", "c0p3", "c11"), arrays["input_ids"], padding)
    ]
    cache = network.new_cache(padding)
    logits, steps = network.forward(rows, cache).logits, []
    ids = []
    for _ in range(arrays["greedy_ids"].shape[1]):
        best, _ = network.greedy(logits)
        steps.append(network.read(logits))
        ids.append(network.read(best))
        logits = network.forward(network.embed(best[:, None]), cache).logits
    np.testing.assert_allclose(np.stack(steps[:4], axis=1), arrays["step_logits"], rtol=0, atol=LOGITS)
    np.testing.assert_array_equal(np.stack(ids, axis=1), arrays["greedy_ids"])


@needs_workshop
def test_left_padded_aligner_batch_equals_official(networks):
    workshop, network = Workshop(), networks("workshop", "aligner")
    arrays, asr = workshop.read("aligner_tiny/batch"), workshop.read("asr_tiny/batch")
    padding = (arrays["attention_mask"] == 0).sum(1).tolist()
    clips = ["c3", "c11"] if padding[0] else ["c11", "c3"]
    rows = [
        prompt_embeddings(network, ids[left:], network.encode(batch_mel(workshop, clip, asr)))
        for clip, ids, left in zip(clips, arrays["input_ids"], padding)
    ]
    logits = network.read(network.forward(rows, network.new_cache(padding), logits_at="all").logits)
    for clip, ids, row in zip(clips, arrays["input_ids"], logits):
        stamps = row[ids == network.config.timestamp_token_id]
        np.testing.assert_allclose(stamps, arrays[f"stamp_logits_{clip}"], rtol=0, atol=LOGITS)


def batch_mel(workshop: Workshop, clip: str, batch: dict[str, np.ndarray]) -> np.ndarray:
    """The mel of a clip as it came out of the package's batch: zeros behind the sound, where alone it is reflected."""
    frames = batch["frames"][("c3", "c0p3", "c11").index(clip)]
    return np.concatenate([workshop.mel(clip)[:, : frames - 8], batch[f"mel_tail_{clip}"]], axis=1)
