"""The embedded Redis listens only where nobody else can reach it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwbroker.embedded.redis import command
from gwbroker.errors import SupervisorError


@pytest.mark.parametrize("kind", ["open to others", "a link", "a file"])
def test_a_socket_folder_that_others_could_have_made_is_refused_by_name(
    tmp_path: Path, kind: str,
):
    place = tmp_path / "gwbroker-1"
    if kind == "open to others":
        place.mkdir()
        place.chmod(0o750)
    elif kind == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.touch()
    with pytest.raises(SupervisorError, match=r"gwbroker-1 must be .* GWBROKER_HOME"):
        command(place / "x.sock", tmp_path / "run")


def test_a_socket_folder_is_made_private_and_used_again(tmp_path: Path):
    for _ in range(2):
        assert str(tmp_path / "gwbroker-1" / "x.sock") in command(
            tmp_path / "gwbroker-1" / "x.sock", tmp_path / "run")
    assert (tmp_path / "gwbroker-1").stat().st_mode & 0o777 == 0o700
