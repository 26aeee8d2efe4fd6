"""``configs/sources/NAME.toml``: how a lender's files become our inputs. Checked completely before a byte of data is read.

    name = "berka"                       the file's own name
    title = "..."                        one line: who sends this
    [[files]]                            every kind of file of this lender
    name = "loan"                        the table in SQL
    pattern = "loan.asc"                 glob on the file's name; optional where ``header`` recognises the file
    header = ["loan_id", "account_id"]   columns that must be in the header; the file is recognised by them
    exact = true                         the header has these columns and no others: a new one may change what the old ones mean
    header_max_row = 40                  look for the header within so many lines
    format = "csv"                       csv, xlsx, xls, jsonl, parquet; told by content otherwise
    delimiter = ";"  quote = "\\""        a delimited file's; the delimiter is told by the header otherwise
    encoding = "gb18030"                 told by the bytes otherwise
    sheet = 0                            of a workbook: number, name, or "header" (default): the first that has the header
    columns = ["src", "dst"]             names, where there is no header, or one with fewer fields than the rows
    end_before = "^-----"                the first line after the data that matches ends it
    skip_rows = "^Total"                 rows that are no data: skipped, counted and listed in run.json
    optional = true                      the lender may leave it out
    [inputs.bank_statements]             one of our inputs: a table and expressions,
    from = "trans"
    where = "amount <> ''"               rows that are data; the others are left out, and counted
    [inputs.bank_statements.columns]
    applicant_id = "account_id"
    amount = "CASE type WHEN 'C' THEN yuan(amount) WHEN 'D' THEN -yuan(amount) END"
    [inputs.applicants]                  or one SELECT over all the tables
    sql = "SELECT loan.loan_id AS application_id, ..., loan._row, loan._file FROM loan LEFT JOIN ..."
    checks_not_applicable = ["id", "phone", "card", "uscc", "consent"]      checks that this lender's people cannot meet

A table's columns are text: as they stand, without blanks around them, empty where there is nothing (never NULL). Beside
them stand ``_file`` (its name), ``_row`` (from 1 after the header) and ``_preamble`` (a list of the lines before the
header). A SELECT that joins carries its main table's ``_row`` and ``_file`` through, so that a refused row can be named.
What comes out are our contracts' columns, money in yuan (``amount``) or in fen (``amount_fen``).

SQL is DuckDB's, one SELECT over the tables declared and ``range``, ``generate_series`` and ``unnest``; no other file, no
setting, no clock, no chance. Besides DuckDB's functions there are (macros.sql):

    half_width(x)    full-width letters, digits and signs as half-width     tidy(x)     no blanks around; NULL where empty
    closed_up(x)     no blank at all                                        digits(x)   digits alone
    stem(_file)      a file's name without folder and endings               is_missing(x)  '', NULL, NA, -, /
    yuan(x)          an amount: 1,020.00, ¥5, 5.00 CR, 5.00-, (5.00), 5元; NULL where not understood
    moment(x)        a time: 2024/3/1 9:05, 2024年3月1日, 20240301, 45356 (a sheet's serial number); day_of(x) its date
    month_of(x)      the first day of a month: 2024-03, 202403, 2024年3月
    whole(x)         a whole number: 1,200, 36个月                            yes_no(x)   是, Y, 1, true, ...
    sex(x)           male, female                                           identifier(x)  upper case, half-width, no blanks
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Optional, Union

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from qqloan_cli.contracts import CONTRACTS, INPUTS
from qqloan_cli.engine.parse import branches, chosen, queries_within, serialised
from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.load import load

CHECKS = ("id", "phone", "card", "uscc", "consent")
_CONTRACTS = {contract.name: contract for contract in (*INPUTS, *(CONTRACTS[name] for name in ("repayments", "contacts", "funder_statements")))}
_WHERE_IT_STOOD = {"_row", "_file"}
_TABLE_FUNCTIONS = {"range", "generate_series", "unnest"}
_ELSEWHERE = {"SHOW_REF", "VALUE_PARAMETER"}  # what stands around the tables, or comes from outside the text
# Reads something else than the tables, or gives another answer another time.
_FORBIDDEN = re.compile(
    r"read_\w+|\w+_scan|\w*scan_\w*|glob|sniff_csv|parquet_\w+|duckdb_\w+|pragma_\w+|query|query_table|getenv|current_\w+|getvariable|which_secret"
    r"|random|rand|setseed|uuid\w*|gen_random_uuid|now|today|get_current_\w+|transaction_timestamp|localtime\w*|nextval|currval|txid_current"
    r"|write_log|set_config|load_\w+|install\w*|version|pg_\w+|has_\w+_privilege|st_read\w*|from_substrait\w*|sql_auto_complete|json_execute_serialized_sql", re.I,
)
_CLOCK = re.compile(r"current_\w+|localtime\w*|session_user", re.I)  # written without parentheses: a column where the table has one, the clock otherwise


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class FileKind(_Strict):
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    pattern: Optional[str] = None
    header: list[str] = []
    exact: bool = False
    header_max_row: int = Field(40, ge=1, le=1000)
    format: Optional[Literal["csv", "xlsx", "xls", "jsonl", "parquet"]] = None
    delimiter: Optional[str] = Field(None, min_length=1, max_length=1)
    encoding: Optional[str] = None
    quote: str = Field('"', max_length=1)
    sheet: Union[int, str] = "header"
    end_before: Optional[str] = None
    skip_rows: Optional[str] = None
    columns: list[str] = []
    optional: bool = False

    @field_validator("end_before", "skip_rows")
    @classmethod
    def _is_regex(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return value

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, value: str | None) -> str | None:
        import codecs

        if value is not None:
            try:
                codecs.lookup(value)
            except LookupError:
                raise ValueError("no such encoding") from None
        return value

    @model_validator(mode="after")
    def _can_be_recognised(self) -> "FileKind":
        if not self.header and not (self.columns and self.pattern):
            raise ValueError("give header, or columns with a pattern: the file could not be recognised")
        for names in (self.header, self.columns):
            if len(set(names)) != len(names):
                raise ValueError("a column is named twice")
        return self


class InputMap(_Strict):
    sql: Optional[str] = None
    from_: Optional[str] = Field(None, alias="from")
    where: Optional[str] = None
    columns: dict[str, str] = {}
    checks_not_applicable: list[Literal["id", "phone", "card", "uscc", "consent"]] = []

    @model_validator(mode="after")
    def _one_of_two(self) -> "InputMap":
        if (self.sql is None) == (self.from_ is None):
            raise ValueError("give either sql, or from with columns")
        if self.sql is not None and (self.where or self.columns):
            raise ValueError("where and columns belong to from; sql says it all itself")
        if self.from_ is not None and not self.columns:
            raise ValueError("from needs columns")
        return self

    @property
    def query(self) -> str:
        """The SELECT, of either kind, without its WHERE."""
        if self.sql is not None:
            return self.sql.strip().rstrip(";")
        expressions = ",\n  ".join(f'({expression}) AS "{name}"' for name, expression in self.columns.items())
        return f'SELECT\n  {expressions},\n  _row, _file\nFROM "{self.from_}"'


class Mapping(_Strict):
    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str = Field(min_length=1)
    files: list[FileKind] = Field(min_length=1)
    inputs: dict[str, InputMap] = Field(min_length=1)

    @model_validator(mode="after")
    def _hangs_together(self) -> "Mapping":
        tables = [kind.name.lower() for kind in self.files]
        if len(set(tables)) != len(tables):
            raise ValueError("two kinds of file have one name")
        for name, mapped in self.inputs.items():
            if name not in _CONTRACTS:
                raise ValueError(f"inputs.{name} is not one of {', '.join(_CONTRACTS)}")
            if mapped.checks_not_applicable and name != "applicants":
                raise ValueError(f"inputs.{name}: checks_not_applicable belongs to applicants")
        return self

    def check_sql(self) -> None:
        """Reads every expression; ValueError at the first that is not allowed. Apart from the rest, for it costs time and only a mapping in use needs it."""
        for name, mapped in self.inputs.items():
            _check_sql(name, mapped, [kind.name.lower() for kind in self.files])

    def kind(self, table: str) -> FileKind:
        return next(kind for kind in self.files if kind.name == table)


def our_columns(name: str) -> dict[str, str]:
    """What a file or a mapping may call the columns of an input, and the contract's name of each: yuan without ``_fen``."""
    names = {}
    for column in _CONTRACTS[name].columns:
        if column.name in ("src_file", "src_row"):
            continue
        names[column.name] = column.name
        if column.name.endswith("_fen"):
            names[column.name.removesuffix("_fen")] = column.name
    return names


def _check_sql(name: str, mapped: InputMap, tables: list[str]) -> None:
    """Raises ValueError unless it is one SELECT over the tables, of our columns, that asks nothing of the world around."""
    if mapped.from_ is not None and mapped.from_.lower() not in tables:
        raise ValueError(f"inputs.{name}: from = {mapped.from_!r} is not among the files")
    asked = {f"inputs.{name}.columns.{column}": f"SELECT {expression} AS x" for column, expression in mapped.columns.items()}
    if mapped.where:
        asked[f"inputs.{name}.where"] = f"SELECT 1 AS x WHERE {mapped.where}"
    asked[f"inputs.{name}"] = mapped.query + (f"\nWHERE {mapped.where}" if mapped.where else "")
    for (where, _), tree in zip(asked.items(), serialised(list(asked.values()))):
        _one_select(where, tree, tables)
    given = [column.lower() for column in chosen(tree["statements"][0]["node"])]
    known = our_columns(name)
    strange = sorted(set(given) - set(known) - _WHERE_IT_STOOD)
    if "*" in given or strange:
        raise ValueError(f"inputs.{name}: no such column: {', '.join(strange) or '*'}; there are {', '.join(known)}")
    twice = sorted({known.get(c, c) for c in given if [known.get(o, o) for o in given].count(known.get(c, c)) > 1})
    if twice:
        raise ValueError(f"inputs.{name}: {', '.join(twice)} comes twice")
    missing = missing_columns(name, {known[c] for c in given if c in known})
    if missing:
        raise ValueError(f"inputs.{name}: {missing[0]} is missing")


# What an input cannot do without; one of the names in a group is enough. applied_at may lack: the as-of date stands for it.
NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "applicants": (("application_id",), ("applicant_id",), ("requested_amount_fen",)),
    "payroll": (("applicant_id",), ("pay_date",), ("gross_fen", "net_fen")),
    "provident_fund": (("applicant_id",), ("month",), ("base_fen", "personal_amount_fen", "employer_amount_fen")),
    "bank_statements": (("applicant_id",), ("booked_at",), ("amount_fen",)),
    "credit_accounts": (("applicant_id",), ("opened_at",)),
    "credit_inquiries": (("applicant_id",), ("inquired_at",)),
    "wealth": (("applicant_id",), ("month",), ("balance_fen",)),
    "social_activity": (("applicant_id",), ("month",)),
    "social_edges": (("src",), ("dst",)),
    "outcomes": (("applicant_id",), ("observed_at",)),
    "funding_refusals": (("application_id",), ("source",)),
    "blocklist": (("kind",), ("value",)),
    "repayments": (("event_id",), ("value_date",)),
    "funder_statements": (("loan_id",), ("principal_fen", "interest_fen", "penalty_fen", "fees_fen", "recovered_fen", "outstanding_fen")),
    "contacts": (("contact_id",), ("applicant_id",), ("begun_at",)),
}


def missing_columns(name: str, given: set[str]) -> list[str]:
    """The needed columns of an input (contract names) that ``given`` lacks, as a file would call them."""
    return [" or ".join(c.removesuffix("_fen") for c in group) for group in NEEDED[name] if not set(group) & given]


def _one_select(where: str, tree: dict, tables: list[str]) -> None:
    if tree.get("error"):
        raise ValueError(f"{where}: {str(tree.get('error_message', 'not SQL')).splitlines()[0]}")
    if len(tree["statements"]) != 1:
        raise ValueError(f"{where}: one SELECT is asked for, and nothing else")
    nodes = list(branches(tree))
    known = {*tables, *queries_within(nodes)}
    for node in nodes:
        kind = node.get("type")
        if kind == "BASE_TABLE" and (node.get("schema_name") or node.get("catalog_name") or node["table_name"].lower() not in known):
            raise ValueError(f"{where}: {node['table_name']!r} is not among the files: {', '.join(tables)}")
        if kind == "TABLE_FUNCTION" and node["function"].get("function_name", "").lower() not in _TABLE_FUNCTIONS:
            raise ValueError(f"{where}: {node['function'].get('function_name', '')} is not allowed as a table")
        if kind in _ELSEWHERE:
            raise ValueError(f"{where}: {kind.lower().replace('_', ' ')} is not allowed: only a SELECT over the tables is")
        bad = node.get("function_name", "") if _FORBIDDEN.fullmatch(node.get("function_name", "")) else ""
        if node.get("class") == "COLUMN_REF" and len(node["column_names"]) == 1 and _CLOCK.fullmatch(node["column_names"][0]):
            bad = node["column_names"][0]
        if bad:
            raise ValueError(f"{where}: {bad} is not allowed: it looks beyond the lender's tables, or changes from day to day")


def folder(config: Path) -> Path:
    return config / "sources"


def names(config: Path) -> list[str]:
    return sorted(path.stem for path in folder(config).glob("*.toml"))


def by_name(config: Path, name: str) -> Mapping:
    """The mapping called ``name``, checked whole. ConfigError where there is none, or it cannot be right."""
    mapping = _layout(config, name)
    try:
        mapping.check_sql()
    except ValueError as error:
        raise ConfigError("config-invalid", f"{name}.toml: {error}", str(folder(config) / f"{name}.toml"), "qqloan source draft FILE writes one that is right.") from None
    return mapping


def _layout(config: Path, name: str) -> Mapping:
    path = folder(config) / f"{name}.toml"
    if name not in names(config):
        raise ConfigError("source-unknown", f"there is no mapping {name}", "--source", f"There are: {', '.join(names(config))}.")
    mapping = load(path, Mapping)
    if mapping.name != name:
        raise ConfigError("source-name-differs", f"the mapping calls itself {mapping.name}", path.name, "Give the file and the mapping one name.")
    return mapping


def every(config: Path) -> list[Mapping]:
    """All mappings, to recognise files by; the one that is chosen is then asked for by its name, which checks its SQL."""
    return [_layout(config, name) for name in names(config)]
