"""A driver of microphones whose sound is what a test says: the end of the module sounddevice that the program sees."""

import threading
from types import SimpleNamespace

import numpy as np


class Tape:
    """The driver's end of a stream: a test plays blocks into its callback, on a thread of its own as a driver does."""

    PortAudioError = RuntimeError

    def __init__(self, refuses=False):
        self.refuses, self.options, self.calls = refuses, None, []

    def query_hostapis(self, index=None):
        return [{"name": "Tape"}]

    def query_devices(self, device=None, kind=None):
        found = [{"index": index, "name": name, "hostapi": 0, "max_input_channels": channels, "default_samplerate": 48_000.0}
                 for index, (name, channels) in enumerate([("Speaker", 0), ("Mic", 1)])]
        return found[1] if kind == "input" else found

    def InputStream(self, **options):
        if self.refuses:
            raise RuntimeError("Invalid sample rate")
        self.options = options
        return SimpleNamespace(start=lambda: self.calls.append("start"), stop=lambda: self.calls.append("stop"),
                               close=lambda: self.calls.append("close"))

    def play(self, blocks, overflow_at=()):
        buffer = np.zeros((800, 1), np.float32)          # the driver's own, which it fills again

        def run():
            for place, block in enumerate(blocks):
                buffer[:, 0] = block
                status = SimpleNamespace(input_overflow=True) if place in overflow_at else None
                self.options["callback"](buffer, len(buffer), None, status)
        thread = threading.Thread(target=run)
        thread.start()
        return thread
