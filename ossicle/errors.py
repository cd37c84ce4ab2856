"""Everything raised on purpose: one tree, so a caller can catch as much or as little as it likes.

A message says what was expected, what came, and what to do.
"""


class SpeechError(Exception):
    """The root of every error that ossicle raises on purpose."""


class AudioError(SpeechError):
    """The sound cannot be read or used."""


class ModelError(SpeechError):
    """The checkpoint is missing, damaged or of another kind."""


class OptionError(SpeechError, ValueError):
    """A value that the caller chose is not possible."""


class FormatError(SpeechError):
    """A transcript cannot be read, or does not have what a format is about."""


class StreamError(SpeechError):
    """A stream was used after its end, or out of order."""


class Cancelled(SpeechError):
    """The caller asked for the work to stop."""


class MissingExtra(SpeechError, ImportError):
    """An optional package is needed; the message has the line that installs it."""
