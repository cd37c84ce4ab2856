"""What goes into a page is the recording, to the sample in time, and small."""

import numpy as np
import pytest

from ossicle.audio.encode import BIT_RATE, encode_sound
from ossicle.audio.load import describe, read_samples
from ossicle.errors import AudioError
from ossicle.options import AudioOptions
from tests.audio.sounds import speech_like


def lag(one, other):
    """By how many samples `other` comes later, and how alike they are then."""
    size = 2 * len(one)
    products = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size)))
    place = int(np.argmax(products))
    return place if place < len(one) else place - size, products[place] / np.sqrt((one ** 2).sum() * (other ** 2).sum())


def test_sound_comes_back_in_its_place():
    samples = speech_like(6.0)
    encoded = encode_sound((samples, 16_000))
    back = read_samples(encoded.data)
    assert len(back) == len(samples)
    shift, likeness = lag(samples, back)
    assert abs(shift) <= 8                          # half a millisecond: the codec's filters
    assert likeness > 0.97
    assert (encoded.begin_seconds, encoded.seconds) == (0.0, 6.0)


def test_it_is_small_and_says_what_it_is():
    encoded = encode_sound((speech_like(20.0, 44_100), 44_100))
    info = describe(encoded.data)
    assert (info.format.split(",")[0], info.codec, encoded.mime) == ("matroska", "opus", "audio/webm")
    assert 0.3 < len(encoded.data) * 8 / 20.0 / BIT_RATE < 1.2


def test_the_asked_part_says_where_it_begins():
    samples = speech_like(8.0)
    encoded = encode_sound((samples, 16_000), AudioOptions(start_seconds=2.5, end_seconds=6.0))
    assert (encoded.begin_seconds, encoded.seconds) == (2.5, 3.5)
    assert abs(lag(samples[40_000:96_000], read_samples(encoded.data))[0]) <= 8


def test_sound_that_is_too_loud_is_clipped_not_wrapped():
    samples = 4 * speech_like(2.0)
    back = read_samples(encode_sound((samples, 16_000)).data)
    assert lag(np.clip(samples, -1, 1), back)[1] > 0.97


@pytest.mark.parametrize("source", [(np.zeros(0, np.float32), 16_000), b"no sound at all"])
def test_no_sound_is_an_error_in_words(source):
    with pytest.raises(AudioError, match="expected sound"):
        encode_sound(source)
