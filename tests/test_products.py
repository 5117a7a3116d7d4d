"""Products: whole or not there, whatever is killed, and nothing is left behind for ever."""

from __future__ import annotations

import os
import time

import pytest

from gwbroker import products

pytestmark = pytest.mark.usefixtures("home")


def test_what_a_killed_process_left_half_made_goes_when_nobody_can_write_it_any_more() -> None:
    place = products.store_json("1-S1/a.json", {}).file.parent
    for name, hours in (("old", 7), ("young", 5)):
        left = place / f".making-{name}-b.png"
        left.write_bytes(b"half")
        os.utime(left, (time.time() - 3600 * hours,) * 2)
    products.store_json("1-S1/c.json", {})
    assert sorted(path.name for path in place.iterdir()) == [
        ".making-young-b.png", "a.json", "c.json"]


def test_a_product_that_cannot_be_made_leaves_the_old_one_and_nothing_else() -> None:
    kept = products.store_json("1-S1/a.json", {"n": 1})

    def fail(file: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        products.store("1-S1/a.json", fail)
    assert [path.name for path in kept.file.parent.iterdir()] == ["a.json"]
    assert kept.file.read_text() == '{\n  "n": 1\n}\n'
