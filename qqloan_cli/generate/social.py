"""Activity and holdings in the ecosystem, ties between people, and how past loans of people among them ended.

People stand in order of ``circle``, what they have in common with those they
know; ties reach mostly to near ranks, so a neighbour's past says something.
Some nodes do not apply ("N..."). Ties to other blocks go to earlier blocks
alone, whose people are known without drawing them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from qqloan_cli.generate import columns, identity
from qqloan_cli.generate.block import BLOCK, STUDENT, UNEMPLOYED, Block, day_in, month_of
from qqloan_cli.generate.faults import who
from qqloan_cli.generate.vocabulary import BLOCK_REASONS

EDGE_KINDS = ("friend", "transfer", "contact", "shared_device")
FRIEND, TRANSFER, CONTACT, DEVICE = range(4)
_KIND_SHARES = np.array([0.57, 0.81, 0.99])
_OTHERS = 0.3  # nodes who do not apply, for each applicant
_TIES = 1.52  # drawn for each applicant; with the way back of friends and ring ties about two edges


def social_activity(block: Block) -> dict[str, pa.Array]:
    rng, n = block.rng("social"), block.n
    block.get["is_active"] = (rng.random(n) < 0.85) & ~block.second
    block.get["has_wealth"] = (rng.random(n) < np.where(block.is_active, 0.57, 0.12)) & ~block.second
    person = np.repeat(np.flatnonzero(block.is_active), 6)
    ago = np.tile(np.arange(6, 0, -1), len(person) // 6)
    level = np.clip(17 + 4.5 * block.ties + 3 * rng.standard_normal(n), 1, 31)
    days = np.clip(np.rint(level[person] + 2.2 * rng.standard_normal(len(person))), 0, 30)
    contacts = np.exp(4.6 + 0.45 * block.ties + 0.5 * rng.standard_normal(n)).astype(np.int64) + 3
    payments = rng.poisson(np.exp(3.1 + 0.3 * block.ties[person] + 0.2 * rng.standard_normal(len(person))))
    typical = np.maximum(block.income, 100_000) * 0.012 * np.exp(0.5 * rng.standard_normal(n))
    month = day_in(month_of(block.as_of) - ago, 1)
    left = block.account_age[person] - (block.as_of - month)
    there = left > 0  # accounts younger than the window begin within it
    person, month, days, payments, left, ago = (column[there] for column in (person, month, days, payments, left, ago))
    return {
        "applicant_id": block.ids.take(pa.array(person)), "month": columns.dates(month), "active_days": columns.numbers(days),
        "contacts": columns.numbers(np.maximum(contacts[person] - ago * (contacts[person] // 120), 1)), "payments_count": columns.numbers(payments),
        "payments_amount": columns.money((typical[person] * payments).astype(np.int64)), "account_age_days": columns.numbers(left),
    }


def wealth(block: Block) -> dict[str, pa.Array]:
    rng = np.random.Generator(block.rng("social").bit_generator.jumped())
    person = np.repeat(np.flatnonzero(block.has_wealth), 3)
    ago = np.tile(np.arange(3, 0, -1), len(person) // 3)
    work = np.isin(block.work, (UNEMPLOYED, STUDENT))
    held = np.maximum(block.income, 150_000) * np.exp(0.25 + 0.5 * block.discipline + 1.0 * rng.standard_normal(block.n) - 1.2 * work)
    drift = np.exp(0.12 * rng.standard_normal(len(person)))
    return {
        "applicant_id": block.ids.take(pa.array(person)), "month": columns.dates(day_in(month_of(block.as_of) - ago, 1)),
        "balance": columns.money((held[person] * drift).astype(np.int64)),
    }


def edges_and_outcomes(block: Block) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    rng, n = block.rng("edges"), block.n
    extra = int(n * _OTHERS)
    nodes = n + extra
    others_circle = rng.standard_normal(extra)
    discipline = np.concatenate([block.discipline, 0.6 * others_circle + 0.8 * rng.standard_normal(extra)])
    circle = np.concatenate([block.circle, others_circle])
    by_rank = np.argsort(circle, kind="stable")
    rank = np.empty(nodes, np.int64)
    rank[by_rank] = np.arange(nodes)

    # who has many ties has very many: weights with a heavy tail
    weight = (1 - rng.random(nodes)) ** -0.55 * np.exp(0.25 * np.concatenate([block.ties, rng.standard_normal(extra)]))
    weight[:n][block.second] = 0
    ties = int(n * _TIES)
    src = np.searchsorted(np.cumsum(weight / weight.sum()), rng.random(ties)).clip(0, nodes - 1)
    reach = np.tan(np.pi * (rng.random((3, ties)) - 0.5)) * max(nodes * 0.004, 3)  # Cauchy: mostly near, sometimes anywhere
    near = by_rank[(rank[src][None, :] + np.rint(np.clip(reach, -1e6, 1e6)).astype(np.int64)) % nodes]
    heaviest = weight[near].argmax(axis=0)  # of three who are near, the one with most ties: hubs grow
    dst = near[np.where(rng.random(ties) < 0.6, heaviest, 0), np.arange(ties)]
    kind = np.searchsorted(_KIND_SHARES, rng.random(ties))
    ringed = np.flatnonzero(block.ring >= 0)
    kind = np.where((kind == DEVICE) & (np.isin(src, ringed) | np.isin(dst, ringed)), FRIEND, kind)
    both_ways = (kind == FRIEND) & (rng.random(ties) < 0.55)
    since = block.as_of - 10 - (rng.exponential(700, ties)).astype(np.int64)
    strength = np.where(kind == TRANSFER, 1 + rng.poisson(4, ties), 1)
    src, dst, kind, since, strength = (
        np.concatenate([a, b[both_ways]]) for a, b in ((src, dst), (dst, src), (kind, kind), (since, since), (strength, strength))
    )
    ring_src, ring_dst, ring_kind = _ring_ties(block)
    src, dst, kind = np.concatenate([src, ring_src]), np.concatenate([dst, ring_dst]), np.concatenate([kind, ring_kind])
    since = np.concatenate([since, block.as_of - 12 - np.arange(len(ring_src)) % 60])
    strength = np.concatenate([strength, np.full(len(ring_src), 3)])
    outside = rng.random(len(src)) < (0.08 if block.number else 0)
    outside[len(outside) - len(ring_src):] = False
    keep = (src != dst) | outside
    if block.second.any():
        keep &= ~(np.isin(dst, np.flatnonzero(block.second)) & ~outside)

    ids = pa.concat_arrays([block.ids, _node_ids(block, extra)])
    far = np.hstack([np.full((len(src), 1), ord("P"), np.uint8), identity.digits((rng.random(len(src)) * max(block.first, 1)).astype(np.int64), 9)])
    dst_ids = ids.take(pa.array(dst))
    if block.number:
        dst_ids = pa.compute.if_else(pa.array(outside), columns.fixed_text(far), dst_ids)
    edges = pa.table({
        "src": ids.take(pa.array(src)), "dst": dst_ids, "kind": columns.words(pa.array(EDGE_KINDS), kind),
        "since": columns.dates(since), "weight": pa.array(strength.astype(np.float64)),
    }).filter(pa.array(keep))
    degree = np.bincount(np.concatenate([src, dst]), minlength=nodes)
    return dict(zip(edges.column_names, edges.combine_chunks().columns)), _outcomes(block, degree, discipline, ids)


def _node_ids(block: Block, extra: int) -> pa.Array:
    index = block.number * BLOCK + np.arange(extra)
    return columns.fixed_text(np.hstack([np.full((extra, 1), ord("N"), np.uint8), identity.digits(index, 9)]))


def _ring_ties(block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Everyone to the next by transfer, all round; and devices shared."""
    parts = [(np.empty(0, np.int64),) * 3]
    for number in range(int(block.ring.max(initial=-1)) + 1):
        members = np.flatnonzero(block.ring == number)
        following = np.roll(members, -1)
        same = (block.device[members] == block.device[following]).all(axis=1)
        parts.append((members, following, np.full(len(members), TRANSFER)))
        parts.append((members[same], following[same], np.full(int(same.sum()), DEVICE)))
        parts.append((members, np.roll(members, -2), np.full(len(members), CONTACT)))
    return tuple(np.concatenate(column) for column in zip(*parts))


def _outcomes(block: Block, degree: np.ndarray, discipline: np.ndarray, ids: pa.Array) -> dict[str, pa.Array]:
    """Past loans of people of whom much is seen: as many as 8 % of the applicants, all observed before the first of these applications."""
    rng = block.rng("outcomes")
    count = int(block.n * 0.08)
    share = np.cumsum(np.minimum(degree, 60) ** 1.4 + 0.05)
    people = np.unique(np.searchsorted(share / share[-1], rng.random(int(count * 1.25))))
    people = np.sort(rng.permutation(people)[:count])
    decided = block.as_of - 400 - rng.integers(0, 720, len(people))
    observed = decided + 365 + rng.integers(0, 20, len(people))
    bad = rng.random(len(people)) < 1 / (1 + np.exp(2.6 + 1.5 * discipline[people]))
    return {
        "applicant_id": ids.take(pa.array(people)), "decided_at": columns.dates(decided), "observed_at": columns.dates(observed), "bad": pa.array(bad),
    }


def blocklist(block: Block) -> dict[str, pa.Array]:
    """Entries that hit the planted, entries that have ended, and many that concern nobody here."""
    rng = np.random.Generator(block.rng("outcomes").bit_generator.jumped())
    live, ended = who(block, "blocklisted"), who(block, "blocklist-expired")
    noise = int(block.n * 0.006) + 1
    kinds, values, starts, ends = [], [], [], []
    columns_of = {"id": block.id_number, "phone": block.phone, "card": block.card, "device": block.device}
    names = list(columns_of)
    strangers = block.first + np.arange(noise)
    made_up = columns.fixed_text(np.hstack([np.frombuffer(b"159" * noise, np.uint8).reshape(noise, 3), identity.digits(identity.scattered(strangers, 10**8, 61_803_399, 87_654_321), 8)]))
    for people, until in ((live, -1), (ended, block.as_of - 30)):
        for number, name in enumerate(names):
            some = people[people % 4 == number]
            kinds += [name] * len(some)
            values.append(columns.fixed_text(columns_of[name][some]))
            starts.append(block.as_of - 200 - some % 500)
            ends.append(np.full(len(some), until))
    kinds += ["phone"] * noise
    values.append(made_up)
    starts.append(block.as_of - 200 - strangers % 900)
    ends.append(np.where(strangers % 3 == 0, block.as_of + 500, -1))
    start, end = np.concatenate(starts), np.concatenate(ends)
    return {
        "kind": pa.array(kinds, pa.string()), "value": pa.concat_arrays(values), "reason": columns.words(pa.array(BLOCK_REASONS), rng.integers(0, len(BLOCK_REASONS), len(kinds))),
        "from_date": columns.dates(start), "to_date": columns.dates(end, end >= 0),
    }
