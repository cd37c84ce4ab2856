"""Every stage inside the MLX engine against the official implementation's, float32 on a CPU."""

import mlx.core as mx
import numpy as np
import pytest

from tests.model.decoding import prompt_embeddings
from tests.model.sources import CLIPS, name_of

STATES = 1e-4      # float32 in another order of summation
RESIDUALS = 5e-4   # the decoder's states before its norm, which reach 28: a third of that limit is used up at the most

each_clip = pytest.mark.parametrize(("source", "clip"), CLIPS, ids=name_of)


def close(got: mx.array, expected: np.ndarray, limit: float = STATES) -> None:
    np.testing.assert_allclose(np.array(got), expected, rtol=0, atol=limit)


@each_clip
def test_convolutions_equal_official(networks, source, clip):
    tower, arrays, mel = networks(source.name, "asr").modules.audio_tower, source.load(clip), source.mel(clip)
    if mel.shape[1] > 100:
        mel = np.pad(mel, ((0, 0), (0, -mel.shape[1] % 100)))
        chunks = mel.reshape(128, -1, 100).transpose(1, 0, 2)[-len(arrays["conv_out_padded"]) :]
    else:
        chunks = mel[None]
    close(tower.convolve(mx.array(chunks)), arrays["conv_out_padded"])


@each_clip
def test_encoder_layers_equal_official(networks, source, clip):
    network, arrays = networks(source.name, "asr"), source.load(clip)
    tower, kept = network.modules.audio_tower, mx.array(arrays["rows_tokens"])
    groups = tower.windows(network.stem(source.mel(clip)))

    def rows(groups: list[mx.array]) -> mx.array:
        return mx.concatenate([group.reshape(-1, group.shape[-1]) for group in groups])

    assert [0, *np.cumsum([length for group in groups for length in [group.shape[1]] * group.shape[0]])] == arrays["window_edges"].tolist()
    for index, layer in enumerate(tower.layers):
        groups = [layer(group) for group in groups]
        close(rows(groups)[kept], arrays[f"enc_layer_{index}"])
    close(tower.ln_post(rows(groups))[kept], arrays["ln_post"])
    close(tower.project(rows(groups)), arrays["audio_embeds"])


@each_clip
def test_decoder_layers_equal_official(networks, source, clip):
    network, arrays = networks(source.name, "asr"), source.load(clip)
    x = prompt_embeddings(network, arrays["prompt_ids"], network.encode(source.mel(clip)))[None]
    decoder, kept, cache = network.modules.model, mx.array(arrays["rows_prompt"]), network.new_cache(capacity=x.shape[1])
    for index, layer in enumerate(decoder.layers):
        x, _ = layer(x, cache, index, cache.next_position(), cache.mask(x.shape[1]))
        close(x[0, kept], arrays[f"dec_layer_{index}"], RESIDUALS)
    close(decoder.norm(x)[0, kept], arrays["final_norm"])


@pytest.mark.parametrize("source", sorted({source for source, _ in CLIPS}, key=name_of), ids=name_of)
def test_attending_over_the_whole_clip_is_told_apart(networks, source):
    arrays, network = source.load("c11"), networks(source.name, "asr")
    tower = network.modules.audio_tower
    rows = network.stem(source.mel("c11"))[None]
    whole = tower.project(tower.transform(rows))[0, mx.array(arrays["rows_tokens"])]
    close(whole, arrays["audio_embeds_no_windows"])
    assert np.abs(np.array(whole) - arrays["audio_embeds"][arrays["rows_tokens"]]).max() > 0.1
