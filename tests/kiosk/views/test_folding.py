"""Sequences fold: what is seen, and what lies around a row."""

from kiosk.imaging.studies.model import TagRow
from kiosk.views.tags import CLOSED, folds, matching_places, parent, tag_cells, tag_line, unfolded

# As the worker gives them: the elements of an item are as deep as the item's own row.
ROWS = [
    TagRow(0, "(0008,1140)", "Seq", "SQ", "2", "", "Sequence"),
    TagRow(1, "Item 1", "", "", "", "", ""),
    TagRow(1, "(0008,1150)", "One", "UI", "1", "needle", "One"),
    TagRow(1, "(0040,A170)", "Inner", "SQ", "1", "", "Inner"),
    TagRow(2, "Item 1", "", "", "", "", ""),
    TagRow(2, "(0008,0100)", "Code", "SH", "1", "hay", "Code"),
    TagRow(1, "Item 2", "", "", "", "", ""),
    TagRow(1, "(0008,1150)", "One", "UI", "1", "hay", "One"),
    TagRow(0, "(0010,0010)", "PatientName", "PN", "1", "hay", "Name", "Patient", "2"),
]


def test_what_is_folded_hides_what_is_under_it_and_no_more() -> None:
    assert unfolded(ROWS, ()) == list(range(9))
    assert unfolded(ROWS, {0}) == [0, 8]
    assert unfolded(ROWS, {1}) == [0, 1, 6, 7, 8]
    assert unfolded(ROWS, {3}) == [0, 1, 2, 3, 6, 7, 8]
    assert unfolded(ROWS, {0, 3}) == [0, 8]


def test_sequences_and_items_fold_and_elements_do_not() -> None:
    assert [place for place in range(9) if folds(ROWS, place)] == [0, 1, 3, 4, 6]


def test_every_row_knows_what_it_lies_in() -> None:
    assert [parent(ROWS, place) for place in range(9)] == [None, 0, 1, 1, 3, 4, 0, 6, None]


def test_a_search_keeps_the_items_too() -> None:
    assert matching_places(ROWS, "hay code") == [0, 1, 3, 4, 5]


def test_a_row_shows_its_mark_its_type_and_its_module() -> None:
    assert tag_cells(ROWS[4], CLOSED)[0] == "    ▸ Item 1"
    assert tag_cells(ROWS[8])[4] == "2"
    assert tag_line(ROWS[8]) == "(0010,0010) · Name · Patient, Type 2 · hay"
