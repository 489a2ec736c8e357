#!/usr/bin/env python3
"""Actions of GitHub's that run without a network, and mirrors of them for a linter.

Takes the bench, a folder for the stand-ins, a folder for the mirrors, and the files or folders in
which `uses: actions/NAME@SHA` is looked for. A stand-in is the bench's, with the inputs of the
releases that are pinned here: uploads know `archive`, which names an artifact after its one file.
A mirror answers `git show SHA:action.yml` with the stand-in's. Changes nothing of the bench.
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

USES = re.compile(r"uses: (actions/([\w-]+)(?:/[\w-]+)?)@([0-9a-f]{40})")
NAME = 'let name = core.getInput("name") || "artifact"'
ARCHIVE = (
    'let name = core.getInput("archive") === "false" '
    '? require("path").basename(core.getInput("path")) : core.getInput("name") || "artifact"'
)
ATTEST = """name: attest (stand-in)
description: The inputs that are used here
inputs:
  subject-path: {description: Files}
runs: {using: node24, main: index.js}
"""


def stand_in(bench: Path, folder: Path) -> None:
    shutil.copytree(bench / "act/standins", folder, ignore=shutil.ignore_patterns("src"))
    upload = folder / "upload-artifact"
    text = (upload / "index.js").read_text()
    if text.count(NAME) != 1:
        sys.exit("the bench's upload-artifact is not the one that this script knows")
    (upload / "index.js").write_text(text.replace(NAME, ARCHIVE))
    text = (upload / "action.yml").read_text()
    text = text.replace("\noutputs:", "\n  archive: { description: zip or not, default: 'true' }\noutputs:")
    (upload / "action.yml").write_text(text)
    (folder / "attest").mkdir()
    (folder / "attest/action.yml").write_text(ATTEST)


def mirror(stand_ins: Path, mirrors: Path, name: str, sha: str) -> None:
    repo = mirrors / f"actions+{name}" / "repo"
    if not repo.exists():
        repo.parent.mkdir(parents=True)
        shutil.copytree(stand_ins / name, repo, ignore=shutil.ignore_patterns("*.js"))
        git(repo, "init", "-q")
        git(repo, "add", "-A")
        git(repo, "commit", "-qm", "stand-in")
    # A replacement lets a commit that is not here be asked for by its name.
    git(repo, "update-ref", f"refs/replace/{sha}", "HEAD")


def git(folder: Path, *arguments: str) -> None:
    who = {f"GIT_{role}_{what}": "stand-in" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", "-C", folder, *arguments], check=True, env={**os.environ, **who})


def main() -> None:
    bench, stand_ins, mirrors = map(Path, sys.argv[1:4])
    stand_in(bench, stand_ins)
    for place in map(Path, sys.argv[4:]):
        for file in sorted(place.rglob("*.yml")) if place.is_dir() else [place]:
            for _, name, sha in USES.findall(file.read_text()):
                mirror(stand_ins, mirrors, name, sha)


if __name__ == "__main__":
    main()
