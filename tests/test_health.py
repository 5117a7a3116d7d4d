"""Doctor says what it tripped over, and looks at everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwbroker.conf import settings
from gwbroker.health import Level, examine


@pytest.mark.usefixtures("sqlite")
def test_a_check_that_fails_in_any_way_is_one_finding_among_the_others(
    environment: pytest.MonkeyPatch, tmp_path: Path,
):
    environment.setenv("GWBROKER_BROKER_URL", "redis://127.0.0.1:port/0")
    settings.cache_clear()
    found = {finding.check: finding for finding in examine()}
    assert found["redis"].level == Level.CRITICAL
    assert found["redis"].text.startswith("ValueError: ")
    assert found["jobs"].level == Level.OK
