"""The doctor tries for real, never raises, and has a fix for what it finds."""

import pytest

from ossicle import doctor
from ossicle.options import SourceOptions
from tests.model.conftest import HAS_KERNELS


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return doctor.examine(SourceOptions(cache_dir=str(tmp_path_factory.mktemp("hub"))))


def test_everything_is_tried_once_and_the_network_is_not(report):
    assert [check.name for check in report.checks] == [
        "system", "ossicle", "engine mlx", "engine cpu", "PyAV", "soundfile", "soxr", "tokenizers", "voice detector", "model cache",
        "bundled model"]


def test_this_machine_is_well(report):
    assert [check for check in report.checks if check.status == "fail"] == []
    assert report.is_well


def test_mlx_really_ran(report):
    pytest.importorskip("mlx.core")
    assert "ran on cpu" in next(check.detail for check in report.checks if check.name == "engine mlx")


def test_the_cpu_engine_really_ran_and_says_what_it_is(report):
    check = next(check for check in report.checks if check.name == "engine cpu")
    assert (check.status, check.fix) == ("ok", None)
    assert check.detail.startswith("native kernels, " if HAS_KERNELS else "NumPy ")
    assert check.detail.endswith("a small layer came out right")


def test_a_kernel_that_computes_wrong_is_found(monkeypatch):
    monkeypatch.setattr("ossicle.model.cpu.native.load_library", lambda: None)
    monkeypatch.setattr("ossicle.model.cpu.kernels.linear", lambda x, weight: x + 1)
    check = doctor._engine_cpu()
    assert (check.status, check.detail.endswith("came out wrong"), bool(check.fix)) == ("fail", True, True)


def test_mlx_is_missed_only_where_a_gpu_could_use_it(monkeypatch):
    def missing(name):
        raise doctor.PackageNotFoundError(name)
    monkeypatch.setattr(doctor, "version", missing)
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert (doctor._engine_mlx().status, doctor._engine_mlx().fix) == ("ok", None)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert (doctor._engine_mlx().status, doctor._engine_mlx().fix) == ("warn", doctor.INSTALL_MLX)


def test_whatever_breaks_is_a_failed_check(monkeypatch):
    def broken():
        raise RuntimeError("no such codec")
    check = doctor._tried("PyAV", broken)
    assert (check.status, check.detail) == ("fail", "RuntimeError: no such codec")
    assert check.fix


def test_an_engine_that_kills_its_process_is_survived(monkeypatch):
    pytest.importorskip("mlx.core")
    monkeypatch.setattr(doctor.sys, "executable", "/bin/false")
    check = doctor._engine_mlx()
    assert (check.status, "does not run (exit code 1)" in check.detail) == ("fail", True)
    assert check.fix


def test_wrong_arithmetic_fails_and_a_missing_gpu_warns():
    cpu = {"is_right": True, "device_name": "a chip"}
    assert doctor._judge_mlx({"version": "1", "default": "DeviceType.cpu", "devices": {"cpu": cpu}}).status == "warn"
    gpu = {"is_right": True, "device_name": "Apple M4", "memory_size": 48e9}
    well = doctor._judge_mlx({"version": "1", "default": "DeviceType.gpu", "devices": {"cpu": cpu, "gpu": gpu}})
    assert (well.status, well.detail) == ("ok", "MLX 1, default device gpu; ran on cpu (a chip), gpu (Apple M4, 48.0 GB)")
    wrong = {"version": "1", "default": "DeviceType.gpu", "devices": {"gpu": gpu | {"is_right": False}}}
    assert doctor._judge_mlx(wrong).status == "fail"


def test_an_old_system_library_is_named(monkeypatch):
    monkeypatch.setattr(doctor.platform, "libc_ver", lambda: ("glibc", "2.31"))
    assert "needs glibc 2.35 or newer" in doctor._mlx_fix()
    monkeypatch.setattr(doctor.platform, "libc_ver", lambda: ("", ""))
    assert "pip install" in doctor._mlx_fix()


def test_a_hub_that_does_not_answer_is_a_warning(monkeypatch):
    monkeypatch.setattr(doctor.catalog, "hub_address", lambda: "http://127.0.0.1:9")
    check = doctor._hub()
    assert (check.status, "does not answer" in check.detail) == ("warn", True)
