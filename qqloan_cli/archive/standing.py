"""How the policy of a run stands: released, a draft, or under nobody's release."""

from __future__ import annotations

import contextlib
import datetime
import tempfile
from pathlib import Path
from typing import Iterator

from qqloan_cli.archive.layout import Archive
from qqloan_cli.archive.releases import Release, in_force, laid_out
from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.version import model_version, policy_version


@contextlib.contextmanager
def standing(policies: Path, config: Path | None, as_of: datetime.date, draft: bool) -> Iterator[tuple[Path, dict]]:
    """(configuration folder, what the run says of it): what the book has in force on ``as_of``, or ``config`` where it is just that.

    Raises ConfigError where nothing is in force then, or ``config`` is something else and no ``draft``.
    """
    book = Archive.open(policies)
    release = in_force(book, as_of)
    if config is None:
        if release is None:
            raise ConfigError("policy-none-in-force", f"no policy of the book is in force on {as_of}", str(policies), "qqloan policy list BOOK shows what waits; --draft --config CONFIG tries one out.")
        with tempfile.TemporaryDirectory(prefix="qqloan-policy-") as scratch:
            yield laid_out(book, release, Path(scratch) / "config"), said(release)
        return
    version, model = policy_version(config), model_version(config)
    if release is not None and (version, model) == (release.says["version"], release.says["model_version"]):
        yield config, said(release)
    elif draft:
        yield config, {"state": "draft", "version": version, "model_version": model}
    else:
        has = f"release {release.number} is, {release.says['version']}" if release else "none is"
        raise ConfigError("policy-unreleased", f"policy {version} is not in force on {as_of}: {has}", str(config), "Leave out --config, have it released (qqloan policy propose), or try it out with --draft.")


def said(release: Release) -> dict:
    return {
        "state": "released", "version": release.says["version"], "model_version": release.says["model_version"], "release": release.number,
        "effective": release.effective, "approved_by": release.approved_by, "manifest_sha256": release.entry.digest,
    }
