"""Local speech-to-text with the open Qwen3-ASR models."""
