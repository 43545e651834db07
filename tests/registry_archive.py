"""The archive that the registry makes of a release: the tracked files less those that .comfyignore names.

`python -m tests.registry_archive output/emo-portrait.zip` makes it and lists what is in it.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def is_checkout() -> bool:
    return (ROOT / ".git").exists()


def git_files(*options: str) -> list[str]:
    """Paths that `git ls-files` gives, each once."""
    command = ["git", "ls-files", "-z", *options]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True)
    return sorted(set(filter(None, listed.stdout.split("\0"))))


def archive_files() -> list[str]:
    """.comfyignore has the rules of .gitignore, so that git itself applies them."""
    ignored = git_files("--cached", "--ignored", "--exclude-from=.comfyignore")
    return sorted(set(git_files("--cached")) - set(ignored))


def write_archive(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in archive_files():
            archive.write(ROOT / name, name)


def main(path: Path) -> None:
    """Writes the archive, and prints its files with their sizes, the largest last."""
    write_archive(path)
    with zipfile.ZipFile(path) as archive:
        entries = sorted(archive.infolist(), key=lambda entry: entry.file_size)
    for entry in entries:
        print(f"{entry.file_size:>10,}  {entry.filename}")
    total = sum(entry.file_size for entry in entries)
    print(f"{len(entries)} files, {total / 1e6:.1f} MB, {path.stat().st_size / 1e6:.1f} MB as {path}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.registry_archive ARCHIVE.zip")
    main(Path(sys.argv[1]))
