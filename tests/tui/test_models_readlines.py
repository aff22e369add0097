"""A file was read when each of its lines was on the screen, in whatever layout."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvenix_tui.models.diff import DiffDocument, Remark
from pvenix_tui.models.lines import Tone
from pvenix_tui.models.readlines import ReadLines
from tests.tui.fake_backend import fake_diff

LONG = replace(fake_diff("nix/x.nix", "host", 3), unified="@@ -1,1 +1,2 @@\n-old " + "o" * 300 + "\n+new\n+end")


@pytest.mark.parametrize("split", [False, True])
def test_a_line_is_read_when_each_piece_of_it_was_shown(split: bool) -> None:
    document, read = DiffDocument(LONG), ReadLines()
    document.split = split
    document.layout(40)
    assert document.count() > 6
    for at in range(document.count() - 1, 0, -1):
        assert not read.show(document, at, at + 1)
    assert read.show(document, 0, 1)


def test_lines_that_were_read_stay_read_in_another_width_and_pieces_do_not() -> None:
    document, read = DiffDocument(LONG), ReadLines()
    document.layout(40)
    rows = document.count()
    assert not read.show(document, 0, 3)
    assert not read.show(document, rows - 2, rows)
    document.layout(60)
    assert not read.show(document, 3, document.count())
    assert read.show(document, 0, 4)


def test_a_remark_has_not_to_be_shown_and_another_difference_begins_anew() -> None:
    remark = Remark(id="c1", lines=((("say", Tone.PLAIN),),))
    document, read = DiffDocument(LONG, {1: [remark]}), ReadLines()
    document.layout(80)
    shown = [at for at, row in enumerate(document.rows) if row.remark is None]
    assert len(shown) < document.count()
    assert [read.show(document, at, at + 1) for at in shown][-1]
    other = DiffDocument(replace(LONG, unified=LONG.unified + "\n+more"))
    other.layout(80)
    assert not read.show(other, 0, 1)
