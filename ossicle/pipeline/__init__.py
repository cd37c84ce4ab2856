"""A recording, whole: load, split at quiet, recognise, join."""
