"""python -m deploy.release [VERSION]: build/kuroshio-VERSION.tar, the sources and the Python wheels that they need.

A site's host asks no package index for them, so it may lie behind any line. The wheels are those of the lock, by its
hashes, less those that only tests need. To be run where the hosts' Debian and its Python run. build/kuroshio.tar is a
link to the newest.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.local.layout import ROOT

BUILD = ROOT / "build"
LATEST = BUILD / "kuroshio.tar"
WHEELS = "wheels"  # in the archive, with the part of the lock that names them
LOCK = "requirements.lock"


def main() -> int:
    """Make it and say where it lies."""
    print(release(*sys.argv[1:2]))
    return 0


def release(version: str = "") -> Path:
    """Make the archive and return where it lies; the version is the project's, and the commit's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name = f"kuroshio-{version or project['version'] + '-' + _git('rev-parse', '--short', 'HEAD')}"
    wheels = _fetch(_needed(project["dependencies"]))
    path = BUILD / f"{name}.tar"
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "sources.tar"
        _git("archive", f"--prefix={name}/", f"--output={sources}", _git("stash", "create") or "HEAD")
        with tarfile.open(sources, "a") as archive:
            for file in sorted(wheels.iterdir()):
                archive.add(file, f"{name}/{WHEELS}/{file.name}", filter=_anonymous)
        path.write_bytes(sources.read_bytes())
    LATEST.unlink(missing_ok=True)
    LATEST.symlink_to(path.name)
    return path


def _needed(dependencies: list[str]) -> dict[str, str]:
    """What these need, and what that needs in turn, by name: the lock's lines on each, with its hashes."""
    entries = re.findall(r"^\w.*\n(?: .*\n)*", (ROOT / LOCK).read_text(), re.M)
    pinned = {canonicalize_name(entry.partition("==")[0]): entry for entry in entries}
    needed: dict[str, str] = {}
    left = [Requirement(text) for text in dependencies]
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        if name not in needed or one.extras:
            needed[name] = pinned[name]
            left += _of(one)
    return needed


def _of(requirement: Requirement) -> Iterator[Requirement]:
    """What a package that is installed here says that it needs, on this Python."""
    for text in requires(requirement.name) or ():
        needs = Requirement(text)
        extras = requirement.extras or {""}
        if needs.marker is None or any(needs.marker.evaluate({"extra": extra}) for extra in extras):
            yield needs


def _fetch(needed: dict[str, str]) -> Path:
    """A folder with these wheels and no others; what lies there from the last time is taken from there."""
    folder = BUILD / WHEELS
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / LOCK
    text = "".join(needed[name] for name in sorted(needed))
    if not lock.exists() or lock.read_text() != text:
        for old in folder.iterdir():
            old.unlink()
        fresh = folder.with_name(LOCK)
        fresh.write_text(text)
        download = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        command = [sys.executable, "-m", "pip", *download, f"--dest={folder}", f"--requirement={fresh}"]
        subprocess.run(command, check=True)
        fresh.rename(lock)
    return folder


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o644
    return entry


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
