"""A data set is looked at before any model is asked; what is wrong with it has a name."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from serin.evaluate.columns import Coder
from serin.evaluate.faults import Effect, Fault, Unfit
from serin.evaluate.reading import Source
from serin.evaluate.survey import Survey, survey
from tests.unit.evaluate.builders import COLUMNS, NOW, config, dataset, write


def look(path: Path, *, now: datetime = NOW, more: dict[str, Any] | None = None, **section: Any) -> Survey:
    """Survey a file by the section of a data set."""
    whole = config(datasets=[dataset(path=str(path), **section)], **(more or {}))
    (one,) = whole.datasets
    return survey(whole, one, Source(path, one.kind), now)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_the_formats_are_read_alike(tmp_path: Path, suffix: str) -> None:
    """Rows, features, ranges and the digest of the file's bytes."""
    path = write(tmp_path / f"rows{suffix}")
    found = look(path)
    assert (found.rows, found.duplicates, found.roles.features) == (4, 0, ("length", "width"))
    assert (found.columns["length"].low, found.columns["length"].high) == (4.9, 6.3)
    assert found.digest == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_batches_have_the_size_that_was_asked_for(tmp_path: Path, suffix: str) -> None:
    """Whatever the file calls a group or block; the rows keep their order."""
    path = write(tmp_path / f"rows{suffix}", {"x": [float(one) for one in range(10)]})
    batches = list(Source(path, config(datasets=[dataset(path=str(path))]).datasets[0].kind).batches(4, ["x"]))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert [one for batch in batches for one in batch.column("x").to_pylist()] == [float(one) for one in range(10)]


def test_row_groups_smaller_than_a_batch_are_joined(tmp_path: Path) -> None:
    """A file written three rows at a time is not asked three rows at a time."""
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pa.table({"x": list(range(10))}), path, row_group_size=3)
    assert [batch.num_rows for batch in Source(path, "parquet").batches(5, ["x"])] == [5, 5]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
def test_texts_are_texts_however_a_program_keeps_them(tmp_path: Path, kind: pa.DataType) -> None:
    """Target, protected attribute and feature."""
    words = {name: pa.array(["setosa", "virginica"] * 2, kind) for name in ("species", "sex", "colour")}
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pa.table(words), path)
    found = look(path, more={"groups": [{"name": "sex", "column": "sex"}]})
    assert (found.rows, found.duplicates, found.columns["colour"].kind) == (4, 2, "category")


def test_roles_leave_the_target_and_the_protected_out(tmp_path: Path) -> None:
    """The model is not told the answer, nor the group unless features name it; a sliced column stays a feature."""
    path = write(tmp_path / "rows.parquet", {**COLUMNS, "id": ["a", "b", "c", "d"], "sex": ["f", "m", "f", "m"]})
    more = {"groups": [{"name": "sex", "column": "sex"}], "slices": [{"name": "w", "column": "width", "below": 3}]}
    assert look(path, id="id", more=more).roles.features == ("length", "width")
    assert look(path, id="id", more=more, features=["width", "sex"]).roles.features == ("width", "sex")


def _gone(path: Path) -> Path:
    path.unlink()
    return path


CASES = [
    pytest.param({"length": []}, {}, Fault.WRONG_COLUMNS, "no column species", id="no target column"),
    pytest.param({**COLUMNS}, {"features": ["height"]}, Fault.WRONG_COLUMNS, "no column height", id="no feature"),
    pytest.param(
        {**COLUMNS}, {"features": ["species"]}, Fault.WRONG_COLUMNS, "would be told", id="the answer is asked"
    ),
    pytest.param({"species": ["setosa"]}, {}, Fault.WRONG_COLUMNS, "no column is left", id="nothing to ask by"),
    pytest.param({**COLUMNS, "length": [[1], [2], [3], [4]]}, {}, Fault.WRONG_COLUMNS, "list<", id="lists"),
    pytest.param(
        {"length": pa.array([], pa.float64()), "species": pa.array([], pa.string())},
        {},
        Fault.DATASET_EMPTY,
        "no row",
        id="no rows",
    ),
    pytest.param(
        {**COLUMNS, "species": ["setosa", None, "setosa", "setosa"]},
        {},
        Fault.TARGET_UNUSABLE,
        "row 1 is None",
        id="a target is missing",
    ),
    pytest.param(
        {**COLUMNS, "species": ["setosa", "rose", "rose", "setosa"]},
        {},
        Fault.TARGET_UNUSABLE,
        "row 1 is 'rose'",
        id="a class that nobody knows",
    ),
    pytest.param({**COLUMNS}, {"digest": "sha256:" + "0" * 64}, Fault.DATASET_CHANGED, "was asked for", id="digest"),
    pytest.param(
        {**COLUMNS},
        {"maxAge": "30d", "asOf": "2026-10-22T00:00:00Z"},
        Fault.DATASET_STALE,
        "31.0 days old",
        id="too old",
    ),
    pytest.param(
        {**COLUMNS},
        {"maxAge": "30d", "asOf": "2027-01-01T00:00:00Z"},
        Fault.DATASET_STALE,
        "future",
        id="from the future",
    ),
    pytest.param(
        {**COLUMNS},
        {"maxAge": "30d", "timeColumn": "width"},
        Fault.WRONG_COLUMNS,
        "times are needed",
        id="a time column of numbers",
    ),
]


@pytest.mark.parametrize(("columns", "section", "fault", "words"), CASES)
def test_a_bad_data_set_has_a_named_fault(
    tmp_path: Path, columns: dict[str, Any], section: dict[str, Any], fault: Fault, words: str
) -> None:
    """With the data set's name, the value and the place; and none of them says anything about the candidate."""
    path = write(tmp_path / "rows.parquet", columns)
    with pytest.raises(Unfit, match=words) as caught:
        look(path, **section)
    assert (caught.value.fault, caught.value.dataset) == (fault, "holdout")
    assert caught.value.effect is (Effect.HOLD if fault is Fault.DATASET_STALE else Effect.STALLED)


def test_the_age_is_that_of_the_newest_row(tmp_path: Path) -> None:
    """At the limit it is taken, a second above it is not."""
    times = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2, 12, 4)]
    path = write(tmp_path / "rows.parquet", {**COLUMNS, "at": times})
    assert look(path, maxAge="10d", timeColumn="at").age_seconds == timedelta(days=10).total_seconds()
    with pytest.raises(Unfit, match=r"maxAge is 10\.0 days"):
        look(path, maxAge="10d", timeColumn="at", now=NOW + timedelta(seconds=1))


def test_times_that_are_all_missing_tell_no_age(tmp_path: Path) -> None:
    """Not knowing how old data are is not their being new."""
    missing = pa.array([None] * 4, pa.timestamp("us"))
    with pytest.raises(Unfit, match="no time at all"):
        look(write(tmp_path / "rows.parquet", {**COLUMNS, "at": missing}), maxAge="10d", timeColumn="at")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"rowsMax": 3}, "more than 3 rows"),
        ({"storedMegabytesMax": 0.0001}, "4 rows at 28 bytes are 0 MB; storedMegabytesMax"),
    ],
)
def test_what_is_too_large_is_said_before_anybody_is_asked(tmp_path: Path, limits: dict[str, Any], words: str) -> None:
    """Rows, and what would be kept of them."""
    with pytest.raises(Unfit, match=words) as caught:
        look(write(tmp_path / "rows.parquet"), more={"limits": limits})
    assert caught.value.fault is Fault.DATASET_TOO_LARGE
    assert look(write(tmp_path / "rows.parquet"), more={"limits": {"rowsMax": 4}}).rows == 4


def test_a_column_with_too_many_values_is_not_sliced_by_value(tmp_path: Path) -> None:
    """An id as a protected attribute would make a million groups."""
    more = {"groups": [{"name": "w", "column": "width"}], "limits": {"valuesMax": 3}}
    with pytest.raises(Unfit, match="more than 3 values"):
        look(write(tmp_path / "rows.parquet"), more=more)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("rows.parquet", b"PAR1 this is no parquet", Fault.DATASET_MALFORMED),
        ("rows.parquet", b"", Fault.DATASET_MALFORMED),
        ("rows.csv", b"", Fault.DATASET_EMPTY),
        ("rows.csv", b"length,species\n1,setosa\n2\n", Fault.DATASET_MALFORMED),
        ("rows.csv", b"length,species\n", Fault.DATASET_EMPTY),
        ("rows.csv", b"length,length,species\n1,2,setosa\n", Fault.WRONG_COLUMNS),
        ("rows.csv", b"length,species\n\xff\xfe,setosa\n", Fault.DATASET_MALFORMED),
        ("rows.csv", b"length,species\n1,ros\xe9\n", Fault.DATASET_MALFORMED),
        ("rows.csv", b"l\xe4nge,species\n1,setosa\n", Fault.DATASET_MALFORMED),
        ("rows.jsonl", b'{"length": 1, "species": "ros\xe9"}\n', Fault.DATASET_MALFORMED),
        ("rows.jsonl", b"{", Fault.DATASET_MALFORMED),
        ("rows.jsonl", b"", Fault.DATASET_EMPTY),
        (
            "rows.jsonl",
            b'{"length": 1, "species": "setosa"}\n{"length": "a", "species": "setosa"}\n',
            Fault.DATASET_MALFORMED,
        ),
    ],
)
def test_a_file_that_is_not_what_it_is_called_has_a_named_fault(
    tmp_path: Path, name: str, content: bytes, fault: Fault
) -> None:
    """Broken, cut off, of the wrong kind: a reason and no traceback."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Unfit) as caught:
        look(path)
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", "length,species,note\n1,setosa,ros\u00e9\n"),
        ("rows.jsonl", '{"length": 1, "species": "setosa", "note": "ros\u00e9"}\n'),
    ],
)
def test_a_text_in_another_encoding_is_named_with_its_column(tmp_path: Path, name: str, text: str) -> None:
    """And what to do; a column that is not read may hold anything."""
    path = tmp_path / name
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Unfit, match="column note is not UTF-8: save"):
        look(path)
    assert look(path, ignore=["note"]).rows == 1


def test_a_file_that_is_not_there_has_a_named_fault(tmp_path: Path) -> None:
    """By its own name and no path of the machine's."""
    with pytest.raises(Unfit, match=r"^rows.parquet cannot be read") as caught:
        look(_gone(write(tmp_path / "rows.parquet")))
    assert caught.value.fault is Fault.DATASET_UNREADABLE


def test_a_number_target_may_not_be_nan(tmp_path: Path) -> None:
    """A regression on NaN has an error of NaN, which no comparison finds too large."""
    path = write(tmp_path / "rows.parquet", {"x": [1.0, 2.0], "y": [1.0, float("nan")]})
    more = {"task": "regression", "classes": None, "gates": [{"name": "g", "metric": "r2", "min": 0}]}
    with pytest.raises(Unfit, match="row 1 is nan") as caught:
        look(path, target="y", more=more)
    assert caught.value.fault is Fault.TARGET_UNUSABLE


def test_missing_values_and_duplicates_are_counted(tmp_path: Path) -> None:
    """NaN is missing as null is; a duplicate has all features of an earlier row, whatever its target."""
    columns = {
        "x": [1.0, None, float("nan"), 1.0, -0.0, 0.0],
        "word": ["a", "b", None, "a", "c", "c"],
        "species": ["setosa", "setosa", "setosa", "virginica", "setosa", "setosa"],
    }
    found = look(write(tmp_path / "rows.parquet", columns))
    assert (found.columns["x"].missing, found.columns["word"].missing) == (2, 1)
    assert found.duplicates == 2


def test_whole_numbers_are_classes_whether_the_file_keeps_them_as_floats_or_not(tmp_path: Path) -> None:
    """A CSV with a gap makes 1 into 1.0, and it is the same class."""
    for values in ([0, 1], [0.0, 1.0]):
        path = write(tmp_path / "rows.parquet", {"x": [1, 2], "species": values})
        assert look(path, more={"classes": [0, 1]}).rows == 2


def test_json_lines_with_a_field_that_is_missing_have_a_missing_value(tmp_path: Path) -> None:
    """Not a column less."""
    path = tmp_path / "rows.jsonl"
    rows = [{"x": 1, "species": "setosa"}, {"species": "setosa"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert look(path).columns["x"].missing == 1


def test_only_values_that_rows_have_are_told_apart(tmp_path: Path) -> None:
    """Categories keep the names of what was filtered away, as pandas writes them: those are no groups and no slices."""
    regions = pa.DictionaryArray.from_arrays([0, 1, 0, 1], ["north", "south", *(f"gone {k}" for k in range(100))])
    path = write(tmp_path / "rows.parquet", {**COLUMNS, "region": regions})
    assert look(path, more={"groups": [{"name": "region", "column": "region"}]}).rows == 4
    coder = Coder()
    assert coder.codes(regions).tolist() == [0, 1, 0, 1]
    assert coder.values == ["north", "south"]


@pytest.mark.parametrize(
    ("column", "kind", "second"),
    [
        ([1_795_000_000_000_000_001] * 4, pa.timestamp("ns"), 1_795_000_000),
        ([1_795_000_000_000_000_001] * 4, pa.timestamp("ns", tz="Europe/Berlin"), 1_795_000_000),
        (["2026-11-01T10:00:00.5Z", "2026-11-02T10:00:00.25+02:00", None, "2026-11-01T10:00:00Z"], None, 1_793_606_400),
        (["2026-11-01T10:00:00.5", "2026-11-01", None, "2026-11-01 09:00"], None, 1_793_527_200),
    ],
)
def test_the_newest_time_is_told_however_finely_and_as_what_it_is_written(
    tmp_path: Path, column: list[Any], kind: pa.DataType | None, second: int
) -> None:
    """Nanoseconds are what pandas keeps, and JSON lines have no times but texts."""
    path = write(tmp_path / "rows.parquet", {**COLUMNS, "at": pa.array(column, kind)})
    found = look(path, maxAge="90d", timeColumn="at").newest
    assert found is not None
    assert int(found.timestamp()) == second


def test_a_text_that_is_no_time_tells_no_age(tmp_path: Path) -> None:
    """And says how one is written."""
    path = write(tmp_path / "rows.parquet", {**COLUMNS, "at": ["yesterday"] * 4})
    with pytest.raises(Unfit, match="write 2026-11-01T00:00:00Z"):
        look(path, maxAge="90d", timeColumn="at")


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (pa.time32("ms"), r"time32\[ms\]"),
        (pa.time64("us"), r"time64\[us\]"),
        (pa.duration("ms"), r"duration\[ms\]"),
    ],
    ids=str,
)
def test_a_time_of_day_or_a_duration_is_no_feature_and_the_reason_says_what_to_write(
    tmp_path: Path, kind: pa.DataType, written: str
) -> None:
    """Data frames hold nanoseconds, others on seconds or texts: a guess would be a skew that nobody sees."""
    path = write(tmp_path / "rows.parquet", {**COLUMNS, "opened": pa.array([1, 2, None, 4], kind)})
    words = f"column opened has type {written}, .* a number in the unit that the model was trained with, or a text"
    with pytest.raises(Unfit, match=words) as caught:
        look(path)
    assert caught.value.fault is Fault.WRONG_COLUMNS
    with pytest.raises(Unfit, match=r"opened .* times are needed: write 2026-11-01T00:00:00Z"):
        look(path, features=["width"], maxAge="90d", timeColumn="opened")
    assert set(look(path, ignore=["opened"]).columns) == {"length", "width"}


@pytest.mark.parametrize(
    ("columns", "more", "words"),
    [
        ({"species": [["setosa"]] * 4}, {}, "species has type list"),
        ({"at": [[1]] * 4}, {"groups": [{"name": "at", "column": "at"}]}, "at has type list"),
        ({"at": ["x"] * 4}, {"slices": [{"name": "late", "column": "at", "atLeast": 1.0}]}, "numbers are needed"),
    ],
)
def test_what_tells_rows_apart_is_looked_at_before_any_model_is_asked(
    tmp_path: Path, columns: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    """A slice by size of a text is known to be none without a single request."""
    path = write(tmp_path / "rows.parquet", {**COLUMNS, **columns})
    with pytest.raises(Unfit, match=words) as caught:
        look(path, features=["width"], more=more)
    assert caught.value.fault is Fault.WRONG_COLUMNS


def test_a_query_that_is_no_number_is_no_query(tmp_path: Path) -> None:
    """NaN is missing, wherever it stands."""
    path = write(tmp_path / "rows.parquet", {"x": [1.0] * 3, "species": [1.0, 0.0, 1.0], "q": [1.0, float("nan"), 2.0]})
    more = {"task": "ranking", "classes": None, "gates": [{"name": "g", "metric": "ndcg", "min": 0.5}]}
    with pytest.raises(Unfit, match="without a query"):
        look(path, query="q", more=more)


def test_a_quoted_text_of_several_lines_is_one_value_in_a_large_file_too(tmp_path: Path) -> None:
    """The file is parsed by blocks, and one ends in the middle of a text."""
    path = tmp_path / "rows.csv"
    path.write_text("text,species\n" + "".join(f'"line {k}\n{"z" * 200}\n",setosa\n' for k in range(25_000)))
    assert path.stat().st_size > 4 << 20
    assert look(path).rows == 25_000


def test_the_index_of_a_data_frame_is_no_feature(tmp_path: Path) -> None:
    """Pandas writes it beside the columns when rows were chosen: the model was not trained on it."""
    index = [7, 1, 3, 2]
    path = write(tmp_path / "rows.parquet", {**COLUMNS, "__index_level_0__": index})
    assert look(path).roles.features == ("length", "width")
    assert look(path, features=["length", "__index_level_0__"]).roles.features == ("length", "__index_level_0__")
