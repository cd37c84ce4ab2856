"""Transcript in, text of a file out. Knows nothing of sound, models or terminals."""
