"""Archives of several files (zip, tar, tar.gz), as lenders send a day's files. One file in a zip or gzip is intake's to open."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from qqloan_cli.errors import InputError

_OF_FREE = 2  # of the free space, one part in so many may be taken: the run needs room too
_CHUNK = 1 << 20


def unpacked(path: Path, to: Path) -> Path | None:
    """The folder ``to`` with what is in the archive; None where ``path`` is none, or holds one file. InputError at what no lender's archive
    holds: names that lead out of it, links, more than there is room for."""
    name = path.name.lower()
    try:
        if name.endswith(".zip") and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                members = [(entry.filename, entry.file_size, entry.external_attr >> 28 != 0xA, entry) for entry in archive.infolist() if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")]
                return _extract(path, members, archive.open, to) if len(members) > 1 else None
        if name.endswith((".tar", ".tar.gz", ".tgz")) and tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                members = [(entry.name, entry.size, entry.isreg(), entry) for entry in archive if not entry.isdir()]
                return _extract(path, members, archive.extractfile, to)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error):
        raise InputError("archive-broken", "the packed file is cut short or damaged", path.name, "Pack it again.") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InputError("archive-unsafe", "the packed file holds one name twice", path.name, "Pack plain files.") from None
    except (NotImplementedError, RuntimeError):  # zipfile's words for a password and for a method it lacks
        raise InputError("archive-locked", "the zip file has a password or an unknown method", path.name, "Unpack it first.") from None
    return None


def _extract(path: Path, members: list[tuple], opened, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(mode=0o700)
    if sum(size for _, size, _, _ in members) > shutil.disk_usage(to).free // _OF_FREE:
        raise InputError("archive-too-large", "there is no room for what is packed in the file", path.name, "Make room, or drop the files unpacked.")
    for name, size, is_file, entry in members:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if not is_file or not parts or parts[0] == "/" or ".." in parts or ":" in parts[0]:
            raise InputError("archive-unsafe", "the packed file holds a link, or a name that leads out of it", path.name, "Pack plain files.")
        target = to.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened(entry) as source, open(target, "xb") as out:
            left = size
            while left > 0 and (chunk := source.read(min(_CHUNK, left))):
                out.write(chunk)
                left -= len(chunk)
        os.chmod(target, 0o600)
    return to
