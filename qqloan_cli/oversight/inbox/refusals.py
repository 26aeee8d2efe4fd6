"""Batches that were set aside, as alerts: a lender whose file was not decided is to know it as soon as of drift."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from qqloan_cli.oversight.inbox.steps import Wanted

MEASURE, REASON = "batch-refused", "reason.json"
_DO_EN = "Mend it and drop it again; what lies in refused/ is removed when it is settled."
_DO_ZH = "修正后重新投递; 处理完毕后从 refused/ 中移除。"


def tell(refused: Path, batches: tuple[str, ...], day: datetime.date, wanted: Wanted, journal: Path, events) -> None:
    """``day``: today; it decides nothing but who is reminded."""
    import pyarrow as pa

    from qqloan_cli.oversight.sinks import deliver
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.monitor import load_monitoring

    policy = load_monitoring(config_dir(wanted.config))
    rows = [_alert(batch, day, json.loads((refused / batch / REASON).read_text(encoding="utf-8"))) for batch in batches if (refused / batch / REASON).is_file()]
    told = deliver(pa.Table.from_pylist(rows), day, policy.sinks(wanted.sinks), journal, policy.remind_after_days)
    for failed in told.failed:
        events.note("alert-waits", f"{failed['sink']} could not be told: {failed['why']}")


def _alert(batch: str, day: datetime.date, reason: dict) -> dict:
    """A row as the contract ``alerts`` has it. What is the same file again is amber: nothing was left undecided."""
    again = reason["ref"] == "batch-repeated"
    where = f" ({reason['where']})" if reason["where"] else ""
    return {
        "alert_id": f"{MEASURE}:{batch}", "severity": "amber" if again else "red", "measure": MEASURE, "subject": batch, "as_of": day, "value": 1.0, "threshold": 0.0,
        "text_en": f"batch {batch} was set aside: {reason['ref']}: {reason['what']}{where}", "text_zh": f"批次 {batch} 已搁置: {reason['ref']}: {reason['what']}{where}",
        "what_to_do_en": reason["hint"] if again else _DO_EN, "what_to_do_zh": "同一文件不会重复审批。" if again else _DO_ZH,
    }
