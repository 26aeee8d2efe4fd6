"""qqloan loan: one loan worked out from its contract's settings, or many from a file: so that anybody can check a contract."""

from __future__ import annotations

import functools
import inspect
import sys
from pathlib import Path
from typing import Annotated, Callable, Optional

import typer

from qqloan_cli.app import group
from qqloan_cli.errors import InputError, UsageError
from qqloan_cli.loans.settings import SETTINGS

File = Annotated[Optional[Path], typer.Argument(metavar="[FILE]", help="JSON Lines, a contract a line, - for stdin; what it leaves out is taken from the options.", show_default=False)]
Format = Annotated[str, typer.Option("--format", help="table, json, jsonl, csv, parquet; of a file jsonl unless said otherwise.", show_default=False)]


def _with_settings(function: Callable) -> Callable:
    """``function`` with an option for every setting of a contract; it gets those that were given as one dictionary."""
    options = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_option(name, setting)) for name, setting in SETTINGS.items()]
    own = [p for p in inspect.signature(function, eval_str=True).parameters.values() if p.name != "given"]

    @functools.wraps(function)
    def wrapped(**values):
        return function(given={name: values.pop(name) for name in SETTINGS}, **values)

    wrapped.__signature__ = inspect.Signature([p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + options)
    wrapped.__annotations__ = {p.name: p.annotation for p in own + options}
    return wrapped


def _flag(name: str) -> str:
    """--rate-change, which may be given several times, for rate_changes."""
    return f"--{(name.removesuffix('s') if SETTINGS[name].many else name).replace('_', '-')}"


def _option(name: str, setting):
    choices = f" {', '.join(setting.choices)}." if setting.choices else ""
    default = f" [default: {setting.default}]" if setting.default else ""
    option = typer.Option(_flag(name), help=f"{setting.help}{choices}{default}", show_default=False)
    return Annotated[Optional[list[str]] if setting.many else Optional[str], option]


@_with_settings
def schedule(file: File = None, format: Format = "", *, given: dict) -> int:
    """Every instalment of a loan, exact to the fen: dates, principal, interest, charges, what is left."""
    from qqloan_cli.loans.instalments import instalments
    from qqloan_cli.reports import loan

    return _each(file, given, format, instalments, loan.schedules)


@_with_settings
def cost(file: File = None, format: Format = "", *, given: dict) -> int:
    """What a loan costs a year, all in, by every figure that the trade knows, and every charge that is in it."""
    from qqloan_cli.loans.cost import cost as cost_of
    from qqloan_cli.reports import loan

    return _each(file, given, format, cost_of, loan.costs)


def _each(file: Path | None, given: dict, format: str, work_out: Callable, show: Callable) -> int:
    settings = {name: value for name, value in given.items() if value}
    for name, read in (("drawdowns", _drawdown), ("rate_changes", _rate_change), ("charges", _charge)):
        if name in settings:
            settings[name] = [read(text) for text in settings[name]]
    if file is None:
        contract = _contract(settings)
        show([(contract.id, work_out(contract))], format or "table", one=True)
        _warn([contract])
        return 0
    contracts, refused = _read(file, settings)
    show([(contract.id, work_out(contract)) for contract in contracts], format or "jsonl", one=False)
    _warn(contracts)
    if refused:
        from qqloan_cli.reports import console

        for error in refused[:20]:
            console.error(error)
        raise InputError("contracts-refused", f"{len(refused)} of {len(refused) + len(contracts)} lines are no contract; the others are put out", str(file), "Mend them and run again.")
    return 0


def _warn(contracts: list) -> None:
    from qqloan_cli.reports import console

    warnings = {warning["text"]: warning for contract in contracts if (warning := contract.warning())}
    for warning in warnings.values():
        console.current().note(warning["ref"], warning["text"])


def _contract(settings: dict):
    import pydantic

    from qqloan_cli.loans.contract import Contract

    try:
        return Contract.model_validate(settings)
    except pydantic.ValidationError as error:
        setting, said = _first(error)
        raise UsageError("contract-wrong", said, _flag(setting.split(".")[0]) if setting else "", "qqloan loan schedule --help lists the settings.") from None


def _read(file: Path, settings: dict) -> tuple[list, list[InputError]]:
    import json

    import pydantic

    from qqloan_cli.loans.contract import Contract

    contracts, refused = [], []
    name = "stdin" if str(file) == "-" else str(file)
    try:
        with sys.stdin if name == "stdin" else file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    contracts.append(Contract.model_validate({**settings, **json.loads(line)}))
                except pydantic.ValidationError as error:
                    setting, said = _first(error)
                    refused.append(InputError("contract-wrong", said, f"{name}, line {number}{', ' + setting if setting else ''}"))
                except (ValueError, TypeError):
                    refused.append(InputError("contract-unreadable", "not a JSON object", f"{name}, line {number}"))
    except (OSError, UnicodeDecodeError):
        raise InputError("file-unreadable", "the file cannot be read as UTF-8 text", name, "Give JSON Lines.") from None
    return contracts, refused


def _first(error) -> tuple[str, str]:
    """The setting and what is wrong with it, without its value."""
    found = error.errors(include_input=False, include_url=False)[0]
    said = "is missing" if found["type"] == "missing" else found["msg"].removeprefix("Value error, ")
    return ".".join(str(part) for part in found["loc"]), said[:1].lower() + said[1:]


def _parts(text: str, wanted: str, least: int, most: int) -> list[str]:
    parts = text.split(":")
    if not least <= len(parts) <= most:
        raise UsageError("contract-wrong", f"{text!r} is not {wanted}", hint="qqloan loan schedule --help shows how it is written.")
    return parts


def _drawdown(text: str) -> dict:
    date, amount = _parts(text, "DATE:AMOUNT", 2, 2)
    return {"date": date, "amount": amount}


def _rate_change(text: str) -> dict:
    date, rate = _parts(text, "DATE:RATE", 2, 2)
    return {"date": date, "annual_rate": rate}


def _charge(text: str) -> dict:
    name, amount, *more = _parts(text, "NAME:AMOUNT[:WHEN][:contingent]", 2, 4)
    contingent = "contingent" in more
    at = [word for word in more if word != "contingent"]
    if amount.endswith("%"):
        from decimal import Decimal, InvalidOperation

        try:
            value = {"rate": Decimal(amount[:-1]) / 100}
        except InvalidOperation:
            value = {"rate": amount}
    else:
        value = {"amount": amount}
    return {"name": name, **value, "contingent": contingent, **({"at": at[0]} if at else {})}


app = group("loan", "Work out a loan from its contract: schedule, cost.", schedule, cost)
