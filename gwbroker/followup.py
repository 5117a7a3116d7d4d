"""Follow-up in the settings: telescopes to plan for, and pairs of events that belong together."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TelescopeTable(_Table):
    """A telescope: a table ``[telescopes.NAME]``. What it leaves out is the preset's."""

    preset: str | None = Field(
        None, description="A known telescope, as ztf, of which the table says what is different.")
    site: str | tuple[float, ...] | None = Field(
        None, description="Where it stands: a known name, or longitude, latitude (degrees east "
                          "and north) and height (m).")
    fov: float | tuple[float, float] | None = Field(
        None, description="Field of view in degrees: width and height, or a diameter.")
    angle: float | None = Field(
        None, description="Of the field's height, degrees from north to east.")
    exposure: float | None = Field(None, description="Seconds per tile.")
    overhead: float | None = Field(None, description="Seconds added to each exposure.")
    readout: float | None = Field(
        None, description="Seconds until the next exposure may begin; it moves meanwhile.")
    slew: float | None = Field(None, description="Degrees per second.")
    settle: float | None = Field(None, description="Seconds added to each move.")
    filter_change: float | None = Field(None, description="Seconds to change the filter.")
    airmass: float | None = Field(None, description="The most; 2 is 30 degrees high.")
    moon: float | None = Field(None, description="Least distance from the Moon, degrees.")
    twilight: Literal["astronomical", "nautical", "civil"] | None = Field(
        None, description="How dark it has to be.")
    declination: tuple[float, float] | None = Field(None, description="From and to, degrees.")
    hour_angle: float | None = Field(
        None, description="The most, hours on either side of the meridian.")

    @model_validator(mode="after")
    def _field_of_view(self) -> TelescopeTable:
        if self.preset is None and (self.fov is None or self.site is None):
            missing = "fov" if self.fov is None else "site"
            raise ValueError(f"{missing} is missing; give it, or preset, as preset = \"ztf\"")
        return self


class CoincidenceTable(_Table):
    """A pair of kinds of events: a table ``[[coincidences]]``."""

    kinds: tuple[str, str] = Field(
        description="The first is the one whose false-alarm rate is known, as gw.")
    window: tuple[float, float] = Field(
        description="Bounds of the time of the first minus that of the second, seconds.")
    rate_per_year: float | None = Field(
        None, description="How often events of the second kind occur; absent: not known, so "
                          "that only a targeted search has a joint rate.")
    far_max: tuple[float, float] | None = Field(
        None, description="Largest false-alarm rates, Hz, that a targeted search admits.")
    group: str | None = Field(
        None, description="Only first events of this group: cbc or burst.")
    experiment: str | None = Field(
        None, description="Only second events of this experiment, as fermi.")
    source: str = Field("the settings", description="Where the numbers come from.")
