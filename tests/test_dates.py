"""Dates as people write them: forms, languages, years of two digits, zones, Unix times."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from deltarule import CellError
from deltarule.preprocessing import Preprocessing, check_table
from deltarule.preprocessing.date_columns import are_dates, days_of
from deltarule.preprocessing.dates import also_fits, format_of, milliseconds
from deltarule.preprocessing.months import month_of


def day(year: int, month: int, number: int) -> float:
    return (date(year, month, number) - date(1970, 1, 1)).days * 86_400_000.0


@pytest.mark.parametrize(
    ("texts", "form", "first"),
    [
        (["28-Dec-98", "05-Jan-00"], "%d-%B-%y", day(1998, 12, 28)),
        (["28-Dec-1998", "05-Jan-2000"], "%d-%B-%Y", day(1998, 12, 28)),
        (["01.02.70", "31.12.69"], "%d.%m.%y", day(1970, 2, 1)),
        (["3. März 2024", "4. Okt 2023"], "%d. %B %Y", day(2024, 3, 3)),
        (["1 févr. 2024", "2 aout 2024"], "%d %B %Y", day(2024, 2, 1)),
        (["3 de enero de 2024", "4 de maio de 2024"], "%d de %B de %Y", day(2024, 1, 3)),
        (["5 мая 2024", "6 июня 2024"], "%d %B %Y", day(2024, 5, 5)),
        (["2024.05.31", "2024.06.01"], "%Y.%m.%d", day(2024, 5, 31)),
        (["May 31 2024", "Jun 1 2024"], "%B %d %Y", day(2024, 5, 31)),
        (["2024-05-31", "13/06/2024"], "%Y-%m-%d|%d/%m/%Y", day(2024, 5, 31)),
        (["31.05.2024", "31.05.24"], "%d.%m.%y|%d.%m.%Y", day(2024, 5, 31)),
        (["2024-05-31", "2024-06-01 10:00"], "%Y-%m-%d|%Y-%m-%d %H:%M", day(2024, 5, 31)),
    ],
)
def test_dates_of_many_forms(texts, form, first):
    assert format_of(texts) == form
    found = milliseconds(texts, form)
    assert found[0] == first
    assert not np.isnan(found).any()


@pytest.mark.parametrize("zone", ["+02:00", " +0200", "Z", " UTC", " GMT", ""])
def test_times_may_have_a_zone(zone):
    form = format_of([f"31.05.2024 10:00{zone}"])
    assert form == "%d.%m.%Y %H:%M"
    offset = 7_200_000 if "2" in zone else 0
    assert milliseconds([f"31.05.2024 10:00{zone}"], form) == day(2024, 5, 31) + 36e6 - offset


def test_a_beginning_that_two_languages_give_two_months_is_none():
    assert (month_of("jui"), month_of("juin"), month_of("juil")) == (0, 6, 7)
    assert month_of("Mon") == month_of("") == 0


def test_day_first_and_month_first_in_one_column_is_refused():
    texts = [f"{i}/13/2024" for i in range(1, 13)] + [f"{i}/01/2024" for i in range(14, 26)]
    with pytest.raises(
        CellError, match=r"column 'when' holds a date in another form in row 12 of the table"
    ):
        check_table({"when": texts * 2})


def test_an_order_that_nothing_decides_is_found():
    assert also_fits(["1/2/24", "2024-05-31"], "%Y-%m-%d|%m/%d/%y") == ("%m/%d/%y", "%d/%m/%y")
    assert also_fits(["1/2/24", "13/2/24"], "%d/%m/%y") is None
    assert also_fits(["1/1/24"], "%m/%d/%y") is None


@pytest.mark.parametrize(("unit", "name"), [(1, "timestamp"), (1000, "createdAt")])
def test_unix_times_are_dates_where_name_and_range_say_so(unit, name):
    moments = [datetime(2024, 5, 31 - i, 12, tzinfo=UTC) for i in range(20)]
    numbers = pl.Series(name, [int(moment.timestamp()) * unit for moment in moments])
    assert are_dates(numbers)
    (column,) = Preprocessing.fit(numbers.to_frame()).columns
    assert column.kind == "date"
    expected = days_of(pl.Series(name, moments), "")
    np.testing.assert_array_equal(days_of(numbers, column.format), expected)
    np.testing.assert_array_equal(days_of(numbers.cast(str), column.format), expected)
    restored = Preprocessing.from_dict(Preprocessing((column,)).to_dict())
    assert restored.columns == (column,)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("price", [1_700_000_000, 1_700_086_400]),
        pl.Series("time", [1_700_000_000, 12]),
        pl.Series("time", [1_700_000_000.5, 1_700_000_000.0]),
        pl.Series("data", [1_700_000_000, 1_700_086_400]),
    ],
)
def test_other_numbers_are_no_unix_times(column):
    assert not are_dates(column)


def test_the_cases_are_read_as_dates():
    years = [f"{d:02}-{m}-{y}" for d, m, y in [(28, "Dec", 98), (30, "Jan", 99), (5, "Jan", "00")]]
    (column,) = Preprocessing.fit({"when": years * 8}).columns
    assert column.describe().endswith("(written %d-%B-%y, years 1970 to 2069)")
    mixed = ["10/01/2024", "2024-02-11", "14/05/2024"] * 8
    (column,) = Preprocessing.fit({"when": mixed}).columns
    assert column.describe().endswith("(written %Y-%m-%d or %d/%m/%Y)")
