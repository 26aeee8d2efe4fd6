"""qqloan train: a model folder from runs with outcomes, or from a flat table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config, DryRun, Workers, Yes, as_workers
from qqloan_cli.errors import UsageError


def train(
    out: Annotated[Path, typer.Option("--out", "-o", help="The model's folder, made whole or not at all.", show_default=False)],
    runs: Annotated[Optional[list[Path]], typer.Argument(metavar="RUN", help="Runs with verify, income, credit and social.", show_default=False)] = None,
    outcomes: Annotated[Optional[Path], typer.Option("--outcomes", help="application_id and bad; perhaps decided_at, observed_at.", show_default=False)] = None,
    table: Annotated[Optional[Path], typer.Option("--table", help="A flat CSV or Parquet file instead of runs.", show_default=False)] = None,
    target: Annotated[Optional[str], typer.Option("--target", help="The outcome's column, with --table: 1 bad, 0 good, blank not known.", show_default=False)] = None,
    bad_words: Annotated[Optional[list[str]], typer.Option("--bad", metavar="WORD", help="With --table: a word of the outcome's column that means bad, where it is not 0 and 1; all others mean good.", show_default=False)] = None,
    features: Annotated[Optional[Path], typer.Option("--features", help="Features with their directions (default: configs/features.toml; of a table, all columns, free).", show_default=False)] = None,
    ignore: Annotated[Optional[list[str]], typer.Option("--ignore", help="A column of the table, or a feature, that is no evidence; may be repeated.", show_default=False)] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Everything random comes from it.")] = 1,
    bags: Annotated[int, typer.Option("--bags", min=1, max=64, help="Ensembles whose mean is the model.")] = 8,
    trees: Annotated[int, typer.Option("--trees", min=1, max=5000, help="Trees in a bag, at most.")] = 1000,
    depth: Annotated[int, typer.Option("--depth", min=1, max=6, help="Of a tree. Beyond 2 no tables hold it: reasons then take TreeSHAP, ten to a hundred times as long.")] = 2,
    tune: Annotated[int, typer.Option("--tune", min=0, max=200, help="Recipes to try besides the usual one, drawn by the seed.")] = 0,
    calibration: Annotated[str, typer.Option("--calibration", help="auto (lowest log loss on held-out folds), none, platt, beta, isotonic or venn_abers.")] = "auto",
    reject_inference: Annotated[str, typer.Option("--reject-inference", help="none, fuzzy or parcelling: what to make of applications without outcome.")] = "none",
    reject_odds: Annotated[float, typer.Option("--reject-odds", min=0.1, max=20, help="Odds of going bad of those, as a multiple of what the known ones say.")] = 1.0,
    alternatives: Annotated[int, typer.Option("--alternatives", min=0, max=50, help="Features to leave out in turn, in search of a less discriminatory model.")] = 0,
    by: Annotated[Optional[list[str]], typer.Option("--by", metavar="COLUMN", help="With --table: a column of protected groups, for --alternatives; no feature then.", show_default=False)] = None,
    replaces: Annotated[Optional[Path], typer.Option("--replaces", metavar="MODEL", help="The model in force: the card tells what changes.", show_default=False)] = None,
    challenger: Annotated[bool, typer.Option("--challenger", help="A points scorecard beside it, of the same rows (needs the extra train).")] = False,
    config: Config = None,
    workers: Workers = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    """A monotone, calibrated model with its card: the same bytes from the same data and seed, whatever the workers."""
    if bool(runs) == (table is not None):
        raise UsageError("train-on-what", "train takes RUN... with --outcomes, or --table with --target", hint="qqloan train RUN --outcomes FILE --out MODEL")
    if runs and outcomes is None:
        raise UsageError("train-needs-outcomes", "runs need --outcomes", hint="qqloan train RUN --outcomes FILE --out MODEL")
    if table is not None and target is None:
        raise UsageError("train-needs-target", "--table needs --target", hint="qqloan train --table FILE --target COLUMN --out MODEL")
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.scale import load_scale
    from qqloan_cli.reports import console
    from qqloan_cli.scoring.calibrate import METHODS
    from qqloan_cli.scoring.fit import Recipe
    from qqloan_cli.scoring.rejects import WAYS
    from qqloan_cli.scoring.train import Wishes, leaks, may_write
    from qqloan_cli.scoring.train import train as make

    for option, value, known in (("--calibration", calibration, ("auto", *METHODS)), ("--reject-inference", reject_inference, WAYS)):
        if value not in known:
            raise UsageError("option-unknown", f"{value!r} is not known", option, f"One of {', '.join(known)}.")
    said = console.current()
    may_write(out, yes or dry_run)
    if table is not None:
        from qqloan_cli.scoring.flat import table_material

        material = table_material(table, target, features, ignore or [], tuple(by or ()), tuple(bad_words or ()))
    else:
        from qqloan_cli.scoring.runs import run_material

        material = run_material(runs, outcomes, features or config_dir(config) / "features.toml", ignore or [])
    for ref, text in material.notes:
        said.note(ref, text)
    bad = int(material.bad.sum())
    said.say(f"{len(material.bad):,} rows, {bad:,} bad ({bad / max(1, len(material.bad)):.2%}), {len(material.features.names)} features")
    if dry_run:
        said.say(f"would train into {out}")
        return 0
    for name, alone in leaks(material):
        said.note("feature-knows-the-end", f"{name} alone ranks the outcomes with an AUC of {alone:.3f}: see whether it was known before the loan; --ignore leaves it out")

    def progress(what: str, of: int):
        said.started(what, of)
        return lambda done: said.advanced(what, 1)

    manifest = make(material, out, Recipe(bags=bags, trees=trees, depth=depth), seed, as_workers(workers), Wishes(
        load_scale(config_dir(config)) if challenger else None, reject_inference, reject_odds, tune, alternatives, "" if calibration == "auto" else calibration, replaces, progress,
    ))
    said.close()
    for kind, results in manifest["measures"].items():
        for part, name in (("cross_validated", "cross-validated"), ("out_of_time", "out of time")):
            if part in results:
                r = results[part]
                said.say(
                    f"{kind.replace('_', ' ')}, {name}: AUC {r['auc']:.4f} ({r['auc_low']:.4f} to {r['auc_high']:.4f}), KS {r['ks']:.4f}, "
                    f"Brier {r['brier']:.5f}, log loss {r['log_loss']:.5f}, ECE {r['ece']:.4f}"
                )
    if manifest["reject_inference"]["way"] != "none":
        said.say("{rows:,} applications without outcome by {way}: {inferred_bad_rate:.2%} bad".format(**manifest["reject_inference"]))
    if alternatives:
        left_out = ", ".join(manifest["alternatives"]["least_discriminatory"])
        said.say(f"less discriminatory at equal power: {'leave out ' + left_out if left_out else 'none of those tried'}")
    said.say(f"{manifest['trees']['model']:,} trees, calibration {manifest['measures']['model']['calibration']['method']}; {out / 'MODEL_CARD.md'} says the rest")
    said.next_step(f"qqloan score --table FILE --model {out} --out scores.parquet" if table is not None else f"put {out} into configs/model and qqloan score RUN")
    return 0
