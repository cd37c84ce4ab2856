"""A pipeline of pyannote.audio without weights: whoever is louder of a low and a high band speaks. Imported by that library only."""

import numpy as np
import torch
from pyannote.audio import Pipeline
from pyannote.audio.pipelines.speaker_diarization import DiarizeOutput
from pyannote.core import Annotation, Segment

STEP = 800                              # samples: 50 ms
BANDS = {"HIGH": (2000, 4000), "LOW": (150, 900)}


class BandPipeline(Pipeline):
    """Keeps what it was asked in `asked`. On the device named `meta`, as on an accelerator that breaks, it fails."""

    def __init__(self, token=None, cache_dir=None):
        super().__init__()
        self.asked = []

    def default_parameters(self):
        return {}

    def classes(self):
        return list(BANDS)

    def apply(self, file, num_speakers=None, min_speakers=None, max_speakers=None, hook=None):
        self.asked.append((num_speakers, min_speakers, max_speakers))
        hook = self.setup_hook(file, hook=hook)
        waveform = file["waveform"].to(self.device)                 # (1, samples)
        if self.device.type == "meta":
            raise RuntimeError("the device is lost")
        hook("segmentation", None, total=2, completed=1)
        hook("segmentation", None)
        spectrum = np.abs(np.fft.rfft(waveform.numpy()[0][: waveform.shape[1] // STEP * STEP].reshape(-1, STEP)))
        hertz = np.fft.rfftfreq(STEP, 1 / file["sample_rate"])
        loudness = {name: spectrum[:, (hertz >= low) & (hertz <= high)].mean(axis=1) for name, (low, high) in BANDS.items()}
        overlapping, exclusive = Annotation(uri=file["uri"]), Annotation(uri=file["uri"])
        for place in range(len(spectrum)):
            heard = [name for name in BANDS if loudness[name][place] > 0.5]
            for name in heard:
                overlapping[Segment(place * 0.05, place * 0.05 + 0.05), name] = name
            if heard:
                loudest = max(heard, key=lambda name: loudness[name][place])
                exclusive[Segment(place * 0.05, place * 0.05 + 0.05), loudest] = loudest
        hook("embeddings", None, total=1, completed=1)
        if num_speakers == 1:
            exclusive = exclusive.rename_labels(dict.fromkeys(BANDS, "LOW"))
        return DiarizeOutput(overlapping.support(0.3), exclusive.support(), np.zeros((2, 4)))


assert torch.device("meta").type == "meta"
