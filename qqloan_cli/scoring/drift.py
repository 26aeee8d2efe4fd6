"""What a batch's features look like beside the training rows': the bins that drift is measured over."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from qqloan_cli.scoring.model import Scored, Scorer


def score_bins(scorer: Scorer, scored: Scored) -> pa.Table:
    """The contract ``score_bins``: rows of each feature's bins, beside the training rows' shares."""
    features, bins, edges, missing, rows, shares = [], [], [], [], [], []
    for name, cuts, share, count in zip(scorer.features.names, scorer.cuts, scorer.reference_shares, scored.bin_rows):
        features += [name] * len(count)
        bins += range(len(count))
        edges += [None, *(float(str(cut)) for cut in cuts), None]
        missing += [False] * (len(count) - 1) + [True]
        rows.append(count)
        shares.append(share)
    return pa.table({
        "feature": pa.array(features, pa.string()), "bin": pa.array(bins, pa.int32()), "from_value": pa.array(edges, pa.float64()), "missing": pa.array(missing, pa.bool_()),
        "rows": pa.array(np.concatenate(rows).astype(np.int64)), "reference_share": pa.array(np.concatenate(shares)),
        "reference_rows": pa.repeat(pa.scalar(scorer.reference_rows, pa.int64()), len(features)),
    })
