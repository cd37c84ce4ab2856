"""What hearing took, in the fields of version 1: `HeardClips` in, `profile` out. What is not known is null."""

from collections.abc import Sequence
from typing import Any

from ossicle.measure.speed import peak_memory_bytes
from ossicle.results import HeardClips

SAMPLE_RATE = 16_000


def joined(heards: Sequence[HeardClips]) -> HeardClips:
    """Several hearings as one: their clips in order, their seconds added."""
    if len(heards) == 1:
        return heards[0]
    return HeardClips(
        tuple(clip for heard in heards for clip in heard.clips),
        **{name: sum(getattr(heard, name) for heard in heards)
           for name in ("mel", "prompt", "encode", "assembly", "prefill", "steps", "total")},
        mlx_memory=heards[-1].mlx_memory if heards else {},
    )


def profile_of(heard: HeardClips, stage: str) -> dict[str, Any]:
    """The telemetry of one reply.

    stage   how it was decoded, in the words of the protocol
    """
    clips = heard.clips
    seconds = sum(clip.num_samples for clip in clips) / SAMPLE_RATE
    tokens = [len(clip.token_ids) for clip in clips]
    decode = heard.prefill + heard.steps + heard.assembly
    prompts = [length for clip in clips for length in clip.prompt_lengths]
    return {
        "stage": stage,
        "batch_size": len(clips),
        "audio_seconds": round(seconds, 4),
        "prepare": {
            "stage": "prepare" if len(clips) == 1 else "prepare_batch",
            "batch_size": len(clips),
            "audio_samples": [clip.num_samples for clip in clips],
            "audio_seconds": round(seconds, 4),
            "feature_extract_seconds": round(heard.mel, 4),
            "prompt_assembly_seconds": round(heard.prompt, 4),
            "audio_tower_seconds": round(heard.encode, 4),
            "total_seconds": round(heard.mel + heard.prompt + heard.encode, 4),
            "audio_feature_lengths": [length for clip in clips for length in clip.num_frames],
            "audio_output_lengths": [length for clip in clips for length in clip.audio_lengths],
        },
        "batch_assembly_seconds": round(heard.assembly, 4),
        "prefill_seconds": round(heard.prefill, 4),
        "continuation_seconds": round(heard.steps, 4),
        "decode_seconds": round(decode, 4),
        "total_seconds": round(heard.total, 4),
        "generated_tokens": tokens,
        "generated_tokens_total": sum(tokens),
        "generated_tokens_per_second": round(sum(tokens) / decode, 2) if decode > 0 else None,
        "realtime_factor": round(seconds / heard.total, 2) if heard.total > 0 else None,
        "prompt_lengths": prompts,
        "max_prompt_length": max(prompts, default=None),
        "left_padding": [empty for clip in clips for empty in clip.left_padding],
        "memory": memory(heard.mlx_memory),
    }


def memory(mlx: dict[str, int]) -> dict[str, int | float | None]:
    """Bytes, and decimal megabytes; those of MLX are null on another engine."""
    known = {"rss_peak": peak_memory_bytes(), **{f"mlx_{name}": mlx.get(name) for name in ("peak", "active", "cache")}}
    found: dict[str, int | float | None] = {}
    for name, value in known.items():
        found |= {f"{name}_bytes": value, f"{name}_mb": None if value is None else round(value / 1e6, 2)}
    return found
