"""The compiled loop as a file: built once, kept, built anew where it is damaged, and done without where it must be."""

import ctypes
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from sightline.recipes import Recipe, train
from sightline.recipes.compiled import building, engine, library

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(
    not any(shutil.which(name) for name in building.COMPILERS), reason="there is no C compiler here"
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """A cache of the test's own, with nothing in it."""
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(building, "INSTALLED", tmp_path / "installed")
    monkeypatch.setattr(engine, "COMPILING", -math.inf)
    monkeypatch.setattr(engine, "FEWEST_COLD", 0)
    monkeypatch.setattr(engine, "SLOWER", math.inf)  # no clock decides
    library.forget()
    yield tmp_path / "cache"
    library.forget()


def trained():
    X = torch.linspace(-1, 1, 40).reshape(-1, 1)
    module = nn.Linear(1, 1)
    with torch.no_grad():
        module.weight.fill_(0.5)
        module.bias.fill_(0.1)
    return train(module, (X, 2 * X + 1), nn.MSELoss(), Recipe(lr=0.1, batch_size=8, epochs=40), engine="compiled",
                 certify=False)  # fmt: skip


def built(folder):
    return sorted(folder.glob("training-*.so"))


def test_it_is_built_once_and_kept(own_cache):
    assert trained().engine == "compiled"
    (path,) = built(own_cache)
    assert library.is_built(torch.float32) and not library.is_built(torch.float64)
    before = path.stat().st_mtime_ns
    library.forget()
    assert trained().engine == "compiled"
    assert built(own_cache) == [path] and path.stat().st_mtime_ns == before
    assert [p.name for p in own_cache.iterdir()] == [path.name]  # nothing else is left behind
    if os.name != "nt":
        assert own_cache.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"", b"\x7fELF garbage", None], ids=["empty", "garbage", "cut off"])
def test_a_damaged_file_is_built_anew(own_cache, damage):
    # A library that is loaded must not be overwritten, so this one is built but not loaded.
    command = building.command_for(True)
    own_cache.mkdir(mode=0o700)
    path = building.build(command, own_cache, building.key_of(command))
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2] if damage is None else damage)
    assert trained().engine == "compiled"
    assert path.read_bytes() == good


def test_a_file_with_the_right_digest_that_is_no_library_is_built_anew(own_cache):
    command = building.command_for(True)
    own_cache.mkdir(mode=0o700)
    false = own_cache / "new.so"
    false.write_bytes(b"no library")
    false = false.rename(own_cache / f"training-{building.key_of(command)}-{building.digest_of(false)}.so")
    assert trained().engine == "compiled"
    assert not false.exists() and len(built(own_cache)) == 1


def test_without_a_compiler_the_exact_engine_runs_and_the_result_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    result = trained()
    assert result.engine == "exact, because no C compiler was found (looked for $CC, cc, gcc, clang)"
    assert result.n_iter == 200 and "no C compiler" in str(result)


@pytest.mark.skipif(os.name == "nt", reason="uses a shell script as a compiler")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'training.c:1:1: error: not today' >&2; exit 1", "not today"),
        ("exit 0", "it wrote no file"),
        ("sleep 60", "did not finish within 0.2 s"),
    ],
    ids=["fails", "writes nothing", "hangs"],
)
def test_a_compiler_that_does_not_work(own_cache, tmp_path, monkeypatch, script, said):
    fake = tmp_path / "fake-cc"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("CC", str(fake))
    if "sleep" in script:
        monkeypatch.setattr(building, "TIMEOUT", 0.2)
    result = trained()
    assert result.engine.startswith(f"exact, because {fake} ") and said in result.engine
    assert list(own_cache.iterdir()) == []
    assert trained().engine == result.engine  # not tried again


@pytest.mark.skipif(os.name == "nt", reason="uses a shell script as a compiler")
def test_a_compiler_that_writes_something_else(tmp_path, monkeypatch):
    fake = tmp_path / "fake-cc"
    fake.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho no library > "$2"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("CC", str(fake))
    assert "cannot be loaded" in trained().engine


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    """The library is built in a private place for this process alone."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "file" / "cache"))
    assert trained().engine == "compiled"
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_folder_that_others_may_write_is_not_used(own_cache):
    own_cache.mkdir()
    own_cache.chmod(0o777)
    assert trained().engine == "compiled"
    assert list(own_cache.iterdir()) == []


def test_a_full_disk_leaves_nothing_and_the_exact_engine_runs(own_cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    result = trained()
    assert "No space left on device" in result.engine and result.n_iter == 200
    assert list(own_cache.iterdir()) == []


def test_a_short_training_does_not_compile(own_cache, monkeypatch):
    monkeypatch.setattr(engine, "COMPILING", 1e9)
    assert "compiling would not pay for the" in trained().engine
    assert not own_cache.exists()


def test_few_steps_are_not_looked_at_while_nothing_is_compiled(own_cache, monkeypatch):
    monkeypatch.setattr(engine, "FEWEST_COLD", 1000)
    assert trained().engine == "exact, because compiling for only 200 steps would not pay"
    assert not own_cache.exists()
    library.load(torch.float32)
    assert trained().engine == "compiled"


def test_what_an_installation_built_is_taken_and_left_as_it_is(own_cache):
    command = building.command_for(True)
    building.INSTALLED.mkdir()
    path = building.build(command, building.INSTALLED, building.key_of(command))
    assert library.is_built(torch.float32) and not library.is_built(torch.float64)
    assert library.load(torch.float32)._name == str(path) and not own_cache.exists()
    library.forget()
    path.unlink()
    path.write_bytes(b"damaged")
    assert library.load(torch.float32)._name == str(built(own_cache)[0])
    assert path.read_bytes() == b"damaged"  # what was installed is not this process's to delete


@pytest.mark.parametrize("compiler", ["", "no-such-compiler"], ids=["with", "without"])
def test_the_hook_of_an_installation_builds_both_precisions_or_does_without(tmp_path, monkeypatch, compiler):
    if compiler:
        monkeypatch.setenv("CC", compiler)
    code = (
        "import sys, types\n"
        "class Interface:\n"
        "    def __init__(self, root): self.root, self.app = root, types.SimpleNamespace(display_warning=print)\n"
        "hatchling = types.ModuleType('hatchling.builders.hooks.plugin.interface')\n"
        "hatchling.BuildHookInterface = Interface\n"
        "parts = hatchling.__name__.split('.')\n"
        "for name in ('.'.join(parts[:n]) for n in range(1, 5)):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        "sys.modules[hatchling.__name__] = hatchling\n"
        "import hatch_build\n"
        "data = {'artifacts': [], 'pure_python': True}\n"
        "hatch_build.CustomBuildHook(sys.argv[1]).initialize('standard', data)\n"
        "print(data['pure_python'], len(data['artifacts']), 'torch' in sys.modules)\n"
    )
    folder = tmp_path / "sightline" / "recipes" / "compiled"
    shutil.copytree(Path(building.__file__).parent, folder, ignore=shutil.ignore_patterns("built", "__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.split()[-3:] == (["True", "0", "False"] if compiler else ["False", "1", "False"])
    assert len(built(folder / "built")) == (0 if compiler else 2)


def test_two_processes_build_at_once(own_cache):
    code = (
        "import torch\n"
        "from sightline.recipes.compiled import building, library\n"
        "building.INSTALLED /= 'nowhere'\n"
        "print(library.load(torch.float32)._name)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    files = [str(path) for path in own_cache.iterdir()]
    assert set(said) <= set(files) and all(name.endswith(".so") for name in files)
    assert hasattr(ctypes.CDLL(said[0]), library.SYMBOL)


def test_the_source_is_part_of_the_package():
    assert building._source().startswith(b"/* A training whose scores are affine")
