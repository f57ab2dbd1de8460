"""A pairwise covering set: every value of a factor meets every value of every other factor."""

from itertools import combinations, product


def pairwise(factors):
    """Rows, as dictionaries, that together hold every pair of values of any two factors.

    Greedy and deterministic: each row takes, factor by factor, the value that covers most pairs
    not met before; among equals, the one that was used least.
    """
    names = sorted(factors, key=lambda name: -len(factors[name]))
    missing = {
        (a, x, b, y) for a, b in combinations(names, 2) for x, y in product(factors[a], factors[b])
    }
    used = {(name, value): 0 for name in names for value in factors[name]}
    rows = []
    while missing:
        first = min(
            missing,
            key=lambda pair: [
                names.index(pair[0]),
                names.index(pair[2]),
                *map(str, (pair[1], pair[3])),
            ],
        )
        row = {first[0]: first[1], first[2]: first[3]}
        for name in names:
            if name not in row:
                row[name] = max(
                    factors[name],
                    key=lambda value: (
                        sum(pair in missing for pair in _pairs(names, row | {name: value})),
                        -used[name, value],
                    ),
                )
        missing -= set(_pairs(names, row))
        for name, value in row.items():
            used[name, value] += 1
        rows.append({name: row[name] for name in factors})
    return rows


def product_of(factors):
    """Every row there is."""
    return [dict(zip(factors, values, strict=True)) for values in product(*factors.values())]


def _pairs(names, row):
    known = [name for name in names if name in row]
    return [(a, row[a], b, row[b]) for a, b in combinations(known, 2)]


def test_every_pair_is_met():
    factors = {"a": [1, 2, 3], "b": ["x", "y"], "c": [0, 1], "d": [7, 8, 9, 10]}
    rows = pairwise(factors)
    assert 12 <= len(rows) <= 16
    for a, b in combinations(factors, 2):
        assert {(row[a], row[b]) for row in rows} == set(product(factors[a], factors[b]))
