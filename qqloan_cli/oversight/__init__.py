"""What a risk team looks at and is told. It reads runs and books; it decides nothing. All but the inbox stand on ``sight.py``: runs and a book
in one read-only DuckDB.

    nightly.py      the report as one document: figures/ (a SELECT a file), reserve.py, alerts, rules
    monitor.py      what stands out: watched.py and matured.py ask (asked/*.sql), people.py too; judge.py says amber or red;
                    sequential.py tests series that are looked at every night; sinks.py and outlets.py tell whom it concerns, once
    compliance/     rules of the regulation held against what stands: a query a topic; impact.py says what a coming rule would do
    notices.py      letters on decisions, adverse.py before bad data is reported, letters.py what both have in common
    worth.py        each source of data left out, on a copy of a run by links (aside.py)
    inbox/          what a lender drops becomes runs: watched, archived, monitored
    night.py        all of it once, between two days; schedule.py prints the crontab or the units for it (units/)
"""
