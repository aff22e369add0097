"""Sizes and durations as people write them."""

from __future__ import annotations

import pytest

from pvenix.model.units import mib, seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [(4096, 4096), ("4096", 4096), ("512M", 512), ("4G", 4096), ("4GiB", 4096), ("1T", 1024 * 1024)],
)
def test_a_size_is_mib_or_has_a_unit(written: int | str, size: int) -> None:
    assert mib(written) == size


@pytest.mark.parametrize("written", ["", "0", 0, -1, "4 G", "4g", "4K", "G", "1.5G", True, "9" * 30, "٤G"])
def test_what_is_no_size_is_refused_with_examples(written: int | str) -> None:
    with pytest.raises(ValueError, match="is not a size; write 4096"):
        mib(written)


@pytest.mark.parametrize(
    ("written", "duration"), [(90, 90), (0, 0), ("90s", 90), ("2m", 120), ("1h30m", 5400), ("1d", 86400)]
)
def test_a_duration_is_seconds_or_has_units(written: int | str, duration: int) -> None:
    assert seconds(written) == duration


@pytest.mark.parametrize("written", ["", "90", "2 m", "m", "-1s", -1, True, "1:30", "1w"])
def test_what_is_no_duration_is_refused_with_examples(written: int | str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write 90"):
        seconds(written)
