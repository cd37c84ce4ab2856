"""The C library builds with every compiler here, and its pool keeps its claims: under the sanitizers, and for arm64 under QEMU."""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
PATH = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])     # cmake and ninja come as wheels, too
COMPILER = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
ARM64 = ("aarch64-linux-gnu-gcc", "qemu-aarch64")


def run(*command, **environment) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=150, check=False,
                          env={**os.environ, "PATH": PATH, **environment})
    output = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{output}"
    return output


def build(folder: Path, target: str, *options: str) -> str:
    """Configure native/ into the folder and build one target; gives what the compiler said."""
    cmake, ninja = shutil.which("cmake", path=PATH), shutil.which("ninja", path=PATH)
    if cmake is None:
        pytest.skip("needs cmake: pip install -e '.[dev]'")
    if COMPILER is None:
        pytest.skip("needs a C compiler")
    generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja else []
    run(cmake, "-S", NATIVE, "-B", folder, "-DOSSICLE_TESTS=ON", *generator, *options)
    return run(cmake, "--build", folder, "--target", target)


def check_pool(folder: Path) -> None:
    output = run(shutil.which("ctest", path=PATH), "--test-dir", folder, "--output-on-failure")
    assert "100% tests passed" in output, output


def skip_without_sanitizer(folder: Path, flag: str) -> None:
    """Compilers know the flag where the library it needs is not installed."""
    if COMPILER is not None:
        (folder / "empty.c").write_text("int main(void) { return 0; }\n")
        probe = [COMPILER, flag, str(folder / "empty.c"), "-o", str(folder / "empty")]
        if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
            pytest.skip(f"{COMPILER} cannot link {flag}")


@pytest.mark.skipif(os.name != "posix", reason="test_pool.c forks")
@pytest.mark.parametrize(("sanitize", "flag"), [
    ("ON", "-fsanitize=address,undefined"),
    pytest.param("THREAD", "-fsanitize=thread", marks=pytest.mark.slow),
])
def test_the_pool_keeps_its_claims_under_the_sanitizers(tmp_path, sanitize, flag):
    skip_without_sanitizer(tmp_path, flag)
    said = build(tmp_path / "build", "test_pool", f"-DOSSICLE_SANITIZE={sanitize}")
    assert "warning:" not in said
    check_pool(tmp_path / "build")


@pytest.mark.skipif(not all(map(shutil.which, ARM64)) or platform.machine() == "aarch64", reason=f"needs {' and '.join(ARM64)}")
def test_the_pool_keeps_its_claims_on_arm64(tmp_path):
    said = build(tmp_path, "test_pool", f"-DCMAKE_TOOLCHAIN_FILE={NATIVE / 'cmake' / 'aarch64-linux-gnu.cmake'}")
    assert "warning:" not in said
    check_pool(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang", "aarch64-linux-gnu-gcc"])
def test_the_library_builds_without_a_warning(tmp_path, compiler):
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    options = [f"-DCMAKE_C_COMPILER={compiler}"]
    if compiler.startswith("aarch64"):
        options = [f"-DCMAKE_TOOLCHAIN_FILE={NATIVE / 'cmake' / 'aarch64-linux-gnu.cmake'}"]
    assert "warning:" not in build(tmp_path, "ossicle", *options)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the sanitizer's library is loaded by LD_PRELOAD")
def test_the_sanitized_library_loads_into_python(tmp_path):
    runtime = Path(run("gcc", "-print-file-name=libasan.so").strip()) if shutil.which("gcc") else Path("libasan.so")
    if not runtime.is_absolute():
        pytest.skip("needs gcc and its libasan")
    build(tmp_path, "ossicle", "-DOSSICLE_SANITIZE=ON", "-DCMAKE_C_COMPILER=gcc")
    program = f"import ctypes; print(ctypes.CDLL({str(tmp_path / 'libossicle.so')!r}).oss_version())"
    version = run(sys.executable, "-c", program, LD_PRELOAD=str(runtime), ASAN_OPTIONS="detect_leaks=0")
    assert f"#define OSS_VERSION {version.strip()} " in (NATIVE / "include" / "ossicle.h").read_text("utf-8")
