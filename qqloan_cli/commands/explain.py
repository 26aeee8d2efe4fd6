"""qqloan explain: one application's way through the house."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.errors import UsageError


def explain(
    run: Annotated[Path, typer.Argument(metavar="RUN|ARCHIVE", help="A run's folder, or an archive's with --run-id.", show_default=False)],
    application: Annotated[str, typer.Argument(metavar="APPLICATION", help="An application_id.", show_default=False)],
    what_if: Annotated[Optional[list[str]], typer.Option("--what-if", metavar="NAME=VALUE", help="Decide it anew with this changed, e.g. monthly_income=30000; several times for several changes.", show_default=False)] = None,
    how_to_approve: Annotated[bool, typer.Option("--how-to-approve", help="The smallest changes, of what an applicant can change, after which it would be approved.")] = False,
    run_id: Annotated[Optional[str], typer.Option("--run-id", metavar="RUN_ID", help="Of an archive: which sealed run. Its reasons are told in the words that were in force then.", show_default=False)] = None,
    lang: Annotated[str, typer.Option("--lang", help="en or zh.", envvar="QQLOAN_LANG")] = "en",
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    to: Annotated[Optional[Path], typer.Option("--to", metavar="FILE", help="Write it as one page for a credit committee, with charts: case.html.", show_default=False)] = None,
) -> int:
    """Checks, income evidence, score reasons, rules, waterfall, tranches and schedule of one application."""
    from qqloan_cli.engine.run import Run
    from qqloan_cli.reports import formats

    if lang not in ("en", "zh"):
        raise UsageError("lang-unknown", f"--lang {lang} is not known", hint="Use en or zh.")
    formats.known(format)
    if run_id is None:
        return _explained(Run.open(run), application, what_if or [], how_to_approve, lang, format, to)
    import tempfile

    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.archive.opened import opened

    store = Archive.open(run)
    with tempfile.TemporaryDirectory(prefix="qqloan-explain-") as scratch:
        entry = store.find(run_id)
        stands = opened(store, entry, application, Path(scratch))
        _say_if_erased(store, entry, stands, application, bool(what_if or how_to_approve))
        return _explained(stands, application, what_if or [], how_to_approve, lang, format, to, [event.event for event in store.events(entry.name, "review") if event.event["application_id"] == application])


def _say_if_erased(store, entry, stands, application: str, asks: bool) -> None:
    from qqloan_cli.archive.erase import erased_from
    from qqloan_cli.engine.query import ask
    from qqloan_cli.engine.session import literal
    from qqloan_cli.reports import console

    if erased := erased_from(store, entry):
        person = ask(stands, f"SELECT applicant_id FROM decisions WHERE application_id = {literal(application)}")["applicant_id"].to_pylist()
        if person and person[0] in erased:
            gone = erased[person[0]]
            if asks:
                raise UsageError("applicant-erased", f"the raw data was erased on {gone.event['at'][:10]}, so nothing can be asked of it", f"entry {gone.sequence}", "Without --what-if and --how-to-approve it shows what was decided.")
            console.current().note("applicant-erased", f"the raw data was erased on {gone.event['at'][:10]} (entry {gone.sequence}); what was worked out of it is shown")


def _explained(stands, application: str, what_if: list[str], how_to_approve: bool, lang: str, format: str, to: Path | None = None, said: list[dict] = []) -> int:
    from qqloan_cli.engine.dossier import dossier
    from qqloan_cli.engine.run import bucket_of
    from qqloan_cli.policy.products import load_products
    from qqloan_cli.policy.reasons import load_reasons
    from qqloan_cli.reports import explain as report
    from qqloan_cli.reports import formats

    if what_if or how_to_approve:
        return _asked(stands, application, what_if, how_to_approve, lang, format)
    found, reasons = dossier(stands, application), load_reasons(stands.config_dir)
    if found["limit"] and found["applicants"] and "offers" not in stands.document["stages"]:
        from qqloan_cli.asking.cost_table import cost_table_of
        from qqloan_cli.asking.offers import offers_of

        bucket = bucket_of(found["limit"][0]["applicant_id"], stands.buckets)
        found["offers"] = offers_of(stands, application, bucket)
        found["cost_table"] = cost_table_of(stands, application, bucket, found["offers"])
    if to is not None:
        from qqloan_cli.asking.ring import ring
        from qqloan_cli.engine.files import write_text
        from qqloan_cli.reports import case_page, console

        write_text(to, case_page.html(found, reasons, lang, load_products(stands.config_dir), ring(stands, application), said))
        console.current().say(f"{to} has the case")
        return 0
    if format == "json":
        print(json.dumps(formats.plain(report.document(found, reasons, lang)), ensure_ascii=False, indent=1))
    else:
        report.show(stands, found, reasons, lang, load_products(stands.config_dir))
    return 0


def _asked(run, application: str, changes: list[str], how: bool, lang: str, format: str) -> int:
    from qqloan_cli.asking.ways import how_to_approve
    from qqloan_cli.asking.what_if import read_change, what_if
    from qqloan_cli.engine.dossier import bucket_holding
    from qqloan_cli.reports import formats, what_if as report

    if "limit" not in run.document["stages"]:
        raise UsageError("step-too-early", "nothing has been decided yet", str(run.root), "qqloan limit decides.")
    read, bucket = [read_change(text) for text in changes], bucket_holding(run, application)
    told = {"what_if": what_if(run, application, bucket, read) if changes else None, "how_to_approve": how_to_approve(run, application, bucket) if how else None}
    document = {"application_id": application, **{name: value for name, value in told.items() if value is not None}}
    if format == "json":
        formats.document(document)
        return 0
    if changes:
        report.show_what_if(told["what_if"], lang)
    if how:
        report.show_how(told["how_to_approve"], lang)
    return 0
