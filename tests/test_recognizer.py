"""What users hold, on real small weights: threads, asyncio, several recordings, the official code's own answers."""

import asyncio
import io
import threading
import wave
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ossicle
from ossicle import AudioError, CancelToken, DecodeOptions, EngineOptions, ModelError, OptionError, TranscribeOptions
from tests import goldens, sounds
from tests.model.conftest import ENGINES

RATE = 16_000
FLOAT32 = EngineOptions(dtype="float32")


@pytest.fixture(scope="module", params=ENGINES)
def asr(request, tmp_path_factory):
    with ossicle.load(goldens.build_asr(tmp_path_factory.mktemp("asr")), EngineOptions(request.param, "float32")) as recognizer:
        yield recognizer


def short(max_tokens=8, **changes) -> TranscribeOptions:
    return TranscribeOptions(decode=DecodeOptions(max_tokens=max_tokens), retries=0, **changes)


def clip(seconds=2.0, seed=7):
    return sounds.speech(round(seconds * RATE), seed), RATE


def ids_of(transcript):
    return [token.id for chunk in transcript.chunks for token in chunk.tokens]


@pytest.mark.parametrize("name", goldens.clips())
def test_the_reference_writes_the_official_ids(asr, name):
    expected = goldens.load(name)["greedy_ids"].tolist()
    transcript = asr.transcribe((goldens.samples(name), RATE), options=short(32, reference=True))
    written = ids_of(transcript)
    assert written == expected[: len(written)]
    assert len(expected) - len(written) == (1 if transcript.stopped_by == "eos" else 0)


def test_context_and_language_reach_the_prompt_as_officially(asr):
    variants = {tag: asked for tag, asked in goldens.manifest()["asr"]["prompts"].items() if tag != "plain"}
    assert len(variants) == 3
    for tag, asked in variants.items():
        transcript = asr.transcribe((goldens.samples("c3p6"), RATE), language=asked["language"], context=asked["context"],
                                    options=short(32, reference=True))
        written = ids_of(transcript)
        assert written == goldens.load("c3p6")[f"greedy_ids_{tag}"].tolist()[: len(written)]


def test_every_kind_of_source_gives_the_same_transcript(asr, tmp_path):
    samples = np.round(clip()[0] * 32767).astype(np.int16)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    path = tmp_path / "sound.wav"
    path.write_bytes(file.getvalue())
    sources = [path, str(path), file.getvalue(), io.BytesIO(file.getvalue()), (samples, RATE)]
    written = [ids_of(asr.transcribe(source, options=short())) for source in sources]
    assert len(written[0]) == 8
    assert all(ids == written[0] for ids in written)


def test_the_source_is_named_when_it_has_a_name(asr, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "talk.wav", *clip())
    assert asr.transcribe(tmp_path / "talk.wav", options=short()).source == str(tmp_path / "talk.wav")
    assert asr.transcribe(clip(), options=short()).source is None


def test_threads_share_one_recogniser(asr):
    clips = [clip(1.0 + index / 4, seed=index) for index in range(6)]
    alone = [ids_of(asr.transcribe(sound, options=short())) for sound in clips]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda sound: ids_of(asr.transcribe(sound, options=short())), clips))
    assert together == alone


def test_asyncio_gives_what_the_plain_call_gives(asr):
    async def both():
        return await asyncio.gather(*(asr.transcribe_async(clip(seed=seed), options=short()) for seed in (1, 2)))

    one, two = asyncio.run(both())
    assert [ids_of(one), ids_of(two)] == [ids_of(asr.transcribe(clip(seed=seed), options=short())) for seed in (1, 2)]


def test_cancelling_the_task_stops_the_work(asr):
    cancel, sound = CancelToken(), clip(60)

    async def start_and_cancel():
        task = asyncio.create_task(asr.transcribe_async(sound, options=short(30_000), cancel=cancel))
        await asyncio.sleep(0.05)                       # the whole takes several times that
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(start_and_cancel())
    assert cancel.is_cancelled
    assert ids_of(asr.transcribe(clip(), options=short()))               # the engine is free again


def test_a_cancel_from_another_thread_keeps_what_was_written(asr):
    cancel = CancelToken()
    timer = threading.Timer(1.0, cancel.cancel)
    timer.start()
    transcript = asr.transcribe(clip(), options=TranscribeOptions(
        decode=DecodeOptions(max_tokens=60_000, loop_guard=False)), cancel=cancel)
    timer.join()
    assert transcript.stopped_by in ("cancelled", "eos")
    assert transcript.truncated == (transcript.stopped_by == "cancelled")


def test_several_recordings_come_back_in_order_with_errors_in_their_place(asr, tmp_path):
    (tmp_path / "notes.wav").write_text("no sound at all")
    sources = [clip(seed=1), tmp_path / "notes.wav", clip(seed=2)]
    one, error, two = asr.transcribe_many(sources, options=short(), return_errors=True)
    assert isinstance(error, AudioError)
    assert ids_of(one) == ids_of(asr.transcribe(clip(seed=1), options=short()))
    assert ids_of(two) == ids_of(asr.transcribe(clip(seed=2), options=short()))


def test_the_first_error_is_raised_after_all_were_tried(asr, tmp_path):
    seen = []
    with pytest.raises(AudioError, match=r"missing-1\.wav") as caught:
        asr.transcribe_many([tmp_path / "missing-1.wav", clip(), tmp_path / "missing-2.wav"], options=short(),
                            on_event=lambda event: seen.append(event.kind))
    assert "missing-2.wav" in caught.value.__notes__[0]
    assert seen.count("done") == 1


def test_one_source_given_as_many_is_refused(asr):
    with pytest.raises(OptionError, match="use transcribe for one"):
        asr.transcribe_many("talk.wav")


def test_an_unknown_language_is_an_error_with_near_names(asr):
    with pytest.raises(OptionError, match="German"):
        asr.transcribe(clip(), language="Germann")


def test_what_a_listener_raises_ends_the_work_and_frees_the_engine(asr):
    def refuse(event):
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        asr.transcribe(clip(), on_event=refuse)
    assert ids_of(asr.transcribe(clip(), options=short()))


def test_time_ranges_shift_the_times(asr):
    options = short(audio=ossicle.AudioOptions(start_seconds=0.5, end_seconds=1.5))
    transcript = asr.transcribe(clip(), options=options)
    assert transcript.duration == pytest.approx(1.0)
    assert (transcript.chunks[0].start, transcript.chunks[-1].end) == (0.5, 1.5)


def test_very_short_sound_is_no_error(asr):
    for num_samples in (1, 100, 200, 201, 1600):
        samples = np.full(num_samples, 0.1, np.float32)
        transcript = asr.transcribe((samples, RATE), options=short())
        assert transcript.duration == num_samples / RATE


def test_facts_say_what_runs(asr, request):
    facts = asr.facts
    assert (facts.engine, facts.dtype, facts.weights) == (request.node.callspec.params["asr"], "float32", "float32")
    assert facts.versions["ossicle"] == ossicle.__version__
    assert facts.parameters == sum(np.prod(shape) for shape in _shapes(asr))


def _shapes(asr):
    from ossicle.model.checkpoint import expected_tensors

    return expected_tensors(asr._engine.config).values()


def test_an_aligner_cannot_recognise(tmp_path):
    with ossicle.load(goldens.build_aligner(tmp_path), FLOAT32) as aligner, pytest.raises(ModelError, match="forced aligner"):
        aligner.transcribe(clip())


def test_a_closed_recogniser_says_so(tmp_path):
    asr = ossicle.load(goldens.build_asr(tmp_path), FLOAT32)
    asr.close()
    with pytest.raises(ModelError, match="closed"):
        asr.transcribe(clip())


def test_both_layouts_give_the_same_transcript(asr, tmp_path):
    with ossicle.load(goldens.build_asr(tmp_path, layout="hf"), EngineOptions(asr.facts.engine, "float32")) as other:
        assert ids_of(other.transcribe(clip(4), options=short(16))) == ids_of(asr.transcribe(clip(4), options=short(16)))


def test_a_seed_decides_what_is_drawn_and_the_batch_does_not(asr):
    def drawn(seed, batch_size=8):
        options = TranscribeOptions(retries=0, split=ossicle.SplitOptions(max_seconds=2), decode=DecodeOptions(
            max_tokens=6, temperature=1.5, seed=seed, batch_size=batch_size))
        return ids_of(asr.transcribe(clip(7), options=options))

    assert drawn(1) == drawn(1, batch_size=2)
    assert drawn(1) != drawn(2)
