"""qqloan explain: one application's way through the house."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from qqloan_cli.commands.options import RunArgument
from qqloan_cli.errors import UsageError


def explain(
    run: RunArgument,
    application: Annotated[str, typer.Argument(metavar="APPLICATION", help="An application_id.", show_default=False)],
    lang: Annotated[str, typer.Option("--lang", help="en or zh.", envvar="QQLOAN_LANG")] = "en",
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> int:
    """Checks, income evidence, score reasons, rules, waterfall, tranches and schedule of one application."""
    from qqloan_cli.engine.dossier import dossier
    from qqloan_cli.engine.run import Run, bucket_of
    from qqloan_cli.policy.products import load_products
    from qqloan_cli.policy.reasons import load_reasons
    from qqloan_cli.reports import explain as report
    from qqloan_cli.reports import formats

    if lang not in ("en", "zh"):
        raise UsageError("lang-unknown", f"--lang {lang} is not known", hint="Use en or zh.")
    if format not in ("table", "json"):
        raise UsageError("format-unknown", f"--format {format} is not known", hint="Use table or json.")
    stands = Run.open(run)
    found, reasons = dossier(stands, application), load_reasons(stands.config_dir)
    if found["limit"] and "offers" not in stands.document["stages"]:
        from qqloan_cli.asking.cost_table import cost_table_of
        from qqloan_cli.asking.offers import offers_of

        bucket = bucket_of(found["limit"][0]["applicant_id"], stands.buckets)
        found["offers"] = offers_of(stands, application, bucket)
        found["cost_table"] = cost_table_of(stands, application, bucket, found["offers"])
    if format == "json":
        print(json.dumps(formats.plain(report.document(found, reasons, lang)), ensure_ascii=False, indent=1))
    else:
        report.show(stands, found, reasons, lang, load_products(stands.config_dir))
    return 0
