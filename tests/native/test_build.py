"""The C library builds with every compiler here, and keeps its claims: as installed, under the sanitizers, and for arm64 under QEMU.

The library takes a compiler a minute or more; what has to build it is slow, but for the pool, which is built alone.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ossicle.model.cpu.native import LIBRARY, load_library

NATIVE = Path(__file__).resolve().parents[2] / "native"
PATH = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])     # cmake and ninja come as wheels, too
COMPILER = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
ARM64 = ("aarch64-linux-gnu-gcc", "qemu-aarch64")
ARM64_OPTION = f"-DCMAKE_TOOLCHAIN_FILE={NATIVE / 'cmake' / 'aarch64-linux-gnu.cmake'}"

needs_arm64 = pytest.mark.skipif(not all(map(shutil.which, ARM64)) or platform.machine() == "aarch64",
                                 reason=f"needs {' and '.join(ARM64)}")


def run(*command, **environment) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=1000, check=False,
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


def check(folder: Path, name: str) -> None:
    output = run(shutil.which("ctest", path=PATH), "--test-dir", folder, "--output-on-failure", "-R", name)
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
    check(tmp_path / "build", "pool")


@needs_arm64
def test_the_pool_keeps_its_claims_on_arm64(tmp_path):
    said = build(tmp_path, "test_pool", ARM64_OPTION)
    assert "warning:" not in said
    check(tmp_path, "pool")


@pytest.mark.skipif(os.name != "posix" or COMPILER is None or load_library() is None, reason="needs a C compiler, and the library built")
def test_the_installed_library_computes_what_its_header_says(tmp_path):
    """Of each instruction set of this machine. After a change of C, install the library first: CONTRIBUTING.md."""
    run(COMPILER, "-std=c11", "-O2", "-ffp-contract=off", "-I", NATIVE / "include", NATIVE / "tests" / "test_kernels.c", LIBRARY,
        f"-Wl,-rpath,{LIBRARY.parent}", "-lm", "-o", tmp_path / "test_kernels")
    assert "products are right" in run(tmp_path / "test_kernels")


@pytest.mark.slow
@pytest.mark.timeout(1000)
@needs_arm64
def test_the_library_computes_what_its_header_says_on_arm64(tmp_path):
    said = build(tmp_path, "test_kernels", ARM64_OPTION)
    assert "warning:" not in said
    check(tmp_path, "kernels")


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_library_builds_without_a_warning(tmp_path, compiler):
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    assert "warning:" not in build(tmp_path, "ossicle", f"-DCMAKE_C_COMPILER={compiler}")


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory) -> tuple[Path, Path]:
    """The folder of the library built for AddressSanitizer, and the sanitizer's own library."""
    runtime = Path(run("gcc", "-print-file-name=libasan.so").strip()) if shutil.which("gcc") else Path("libasan.so")
    if not runtime.is_absolute():
        pytest.skip("needs gcc and its libasan")
    folder = tmp_path_factory.mktemp("sanitized")
    assert "warning:" not in build(folder, "test_kernels", "-DOSSICLE_SANITIZE=ON", "-DCMAKE_C_COMPILER=gcc")
    return folder, runtime


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.skipif(os.name != "posix", reason="test_kernels.c asks POSIX for memory")
def test_the_library_computes_what_its_header_says_under_the_sanitizers(sanitized):
    check(sanitized[0], "kernels")


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.skipif(sys.platform != "linux", reason="the sanitizer's library is loaded by LD_PRELOAD")
def test_the_sanitized_library_loads_into_python(sanitized):
    folder, runtime = sanitized
    program = f"import ctypes; print(ctypes.CDLL({str(folder / 'libossicle.so')!r}).oss_version())"
    version = run(sys.executable, "-c", program, LD_PRELOAD=str(runtime), ASAN_OPTIONS="detect_leaks=0")
    assert f"#define OSS_VERSION {version.strip()} " in (NATIVE / "include" / "ossicle.h").read_text("utf-8")
