"""Rows of a table chosen by a comparison: a yes is a yes, however a file writes it."""

import polars as pl
import pytest

from deltarule.cli.row_choice import rows_where
from deltarule.errors import SettingError
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing.columns import Boolean

SOLD = Preprocessing((Boolean("sold", ("no", "yes"), 0.5, 0),))
WRITTEN = {
    "words": ["yes", "no", None, "Yes"],
    "text of truth values": ["True", "False", "", "true"],
    "truth values": [True, False, None, True],
    "whole numbers": [1, 0, None, 1],
    "floats": [1.0, 0.0, None, 1.0],
}
CONDITIONS = ["sold=yes", "sold = True", "sold==1", "sold!=no", "sold!='f'"]


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("cells", WRITTEN.values(), ids=WRITTEN)
def test_a_yes_is_a_yes_in_every_file_format(cells, condition):
    assert rows_where(condition, pl.DataFrame({"sold": cells}), SOLD).tolist() == [0, 3]


REFUSED = {"sold<yes": "expected = or != there, got <", "sold=maybe": "expected one of them, got"}


@pytest.mark.parametrize("condition", REFUSED)
def test_a_comparison_that_a_yes_or_no_cannot_have_is_refused(condition):
    with pytest.raises(SettingError, match=REFUSED[condition]):
        rows_where(condition, pl.DataFrame({"sold": ["yes", "no"]}), SOLD)
