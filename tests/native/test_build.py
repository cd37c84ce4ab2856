"""The C library builds with every compiler here, and keeps its claims: as installed, under the sanitizers, and for arm64 under QEMU.

The library takes a compiler a minute or more; what has to build it is slow. Built for the sanitizers, without optimisation, it takes
seconds, and so do the tests over it that run by default.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ossicle.model.cpu.native import PLACE, load_library

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


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory) -> Path:
    """A folder where everything was built for AddressSanitizer and UndefinedBehaviorSanitizer; AVX-512 stands in for AVX-VNNI."""
    folder = tmp_path_factory.mktemp("sanitized")
    skip_without_sanitizer(folder, "-fsanitize=address,undefined")
    assert "warning:" not in build(folder / "build", "all", "-DOSSICLE_SANITIZE=ON", "-DOSSICLE_TEST_VNNI=ON")
    return folder / "build"


def run_kernel_tests(library: Path, *options: str, **environment: str) -> None:
    """The tests in `kernels`, in a Python of their own, over this library."""
    run(sys.executable, "-m", "pytest", "-s", "-x", "-p", "no:cacheprovider", *options, Path(__file__).parent / "kernels",
        OSSICLE_NATIVE_LIBRARY=str(library), **environment)


def run_sanitized_kernel_tests(folder: Path, *options: str) -> None:
    if "Free Software Foundation" not in run(COMPILER, "--version"):
        pytest.skip("needs gcc, whose sanitizer is a library that Python can load first")
    runtime = Path(run(COMPILER, "-print-file-name=libasan.so").strip())
    run_kernel_tests(folder / "libossicle.so", *options, LD_PRELOAD=str(runtime), ASAN_OPTIONS="detect_leaks=0")    # Python's are many


@pytest.mark.skipif(os.name != "posix", reason="test_pool.c forks")
def test_the_pool_keeps_its_claims_under_the_sanitizers(sanitized):
    check(sanitized, "pool")


@pytest.mark.skipif(sys.platform != "linux", reason="the sanitizer's library is loaded by LD_PRELOAD")
def test_any_call_of_the_kernels_stays_inside_its_memory(sanitized):
    """Of random sizes, and with arguments that are refused: 10 s after 15 s of building."""
    run_sanitized_kernel_tests(sanitized, "-k", "test_any or refused")


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.skipif(sys.platform != "linux", reason="the sanitizer's library is loaded by LD_PRELOAD")
def test_every_test_of_the_kernels_passes_under_the_sanitizers(sanitized):
    run_sanitized_kernel_tests(sanitized)


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.skipif(os.name != "posix", reason="test_kernels.c asks POSIX for memory")
def test_the_library_computes_what_its_header_says_under_the_sanitizers(sanitized):
    check(sanitized, "kernels")


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.skipif(os.name != "posix", reason="test_pool.c forks")
def test_no_two_threads_race(tmp_path):
    skip_without_sanitizer(tmp_path, "-fsanitize=thread")
    assert "warning:" not in build(tmp_path / "build", "all", "-DOSSICLE_SANITIZE=THREAD")
    check(tmp_path / "build", "pool|kernels")


@needs_arm64
def test_the_pool_keeps_its_claims_on_arm64(tmp_path):
    said = build(tmp_path, "test_pool", ARM64_OPTION)
    assert "warning:" not in said
    check(tmp_path, "pool")


@pytest.mark.skipif(os.name != "posix" or COMPILER is None or load_library() is None, reason="needs a C compiler, and the library built")
def test_the_installed_library_computes_what_its_header_says(tmp_path):
    """Of each instruction set of this machine. After a change of C, install the library first: CONTRIBUTING.md."""
    run(COMPILER, "-std=c11", "-O2", "-ffp-contract=off", "-I", NATIVE / "include", NATIVE / "tests" / "test_kernels.c", PLACE,
        f"-Wl,-rpath,{PLACE.parent}", "-lm", "-o", tmp_path / "test_kernels")
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


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_tests_of_the_kernels_pass_with_every_compiler(tmp_path, compiler):
    """With AVX-512 in place of AVX-VNNI, which few processors have."""
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    build(tmp_path, "ossicle", f"-DCMAKE_C_COMPILER={compiler}", "-DOSSICLE_TEST_VNNI=ON")
    run_kernel_tests(tmp_path / PLACE.name)
