"""Prompt to token ids and reply ids to text; knows nothing of sound or networks."""
