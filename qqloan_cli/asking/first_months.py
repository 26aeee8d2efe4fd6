"""What a loan earns in its first months: interest due in them, and what the money costs that is out over the same months."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.run import Run
from qqloan_cli.loans.pricing import BLOCK
from qqloan_cli.loans.schedule import METHODS, Terms, schedule_by
from qqloan_cli.policy.products import load_products
from qqloan_cli.stages.limit import conventions, real_days_of

YEAR_PPM = 12 * 1_000_000


class FirstMonths:
    """``months``: how many; ``cost_ppm``: of funds, a year in millionths. The products are those of the run's configuration."""

    def __init__(self, run: Run, months: int, cost_ppm: int) -> None:
        products = load_products(run.config_dir)
        self._values, self._months, self._cost_ppm = conventions(products, run.as_of), months, cost_ppm
        self._place = {name: place for place, name in enumerate(products)}
        self._method = np.array([METHODS.index(product.method) for product in products.values()], np.int64)
        self._free = np.array([product.principal_free_months for product in products.values()], np.int64)

    def of(self, loans: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """(interest, cost of funds) of each loan, fen, int64 [n]. ``loans``: product, amount_fen, term_months, annual_rate_ppm.

        Every loan counts as paid out whole on its first day. Cost of funds is a twelfth of the year's on what is outstanding at the
        beginning of each month. Fees are left out: they go to others (configs/products.toml, shown).
        """
        parts = [self._of(loans.slice(start, BLOCK)) for start in range(0, len(loans), BLOCK)]
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate([interest for interest, _ in parts]), np.concatenate([cost for _, cost in parts])

    def _of(self, loans: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        place = np.array([self._place[name] for name in loans.column("product").to_pylist()], np.int64)
        amount, term, rate = (loans.column(name).to_numpy().astype(np.int64) for name in ("amount_fen", "term_months", "annual_rate_ppm"))
        terms = Terms(amount, rate, term, self._method[place], principal_free=np.minimum(self._free[place], term - 1), **real_days_of(self._values, place))
        made = schedule_by(terms, place, self._values["roundings"])
        interest, principal = made.interest_fen[:, :self._months], made.principal_fen[:, :self._months]
        outstanding = amount[:, None] - np.cumsum(principal, axis=1) + principal
        outstanding[np.arange(principal.shape[1])[None, :] >= term[:, None]] = 0
        return interest.sum(axis=1), (outstanding.sum(axis=1) * self._cost_ppm + YEAR_PPM // 2) // YEAR_PPM


