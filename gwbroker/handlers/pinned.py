"""Pinned: what kind of value GCN's unified schema (v7.2) has in which field.

A copy of its own, because the address in a notice's ``$schema`` is the sender's word: it is
never fetched. What does not fit is flagged, and the notice is used all the same: live notices
have differed from the schema (nasa-gcn/gcn.nasa.gov#1230).
"""

from __future__ import annotations

from typing import Any

from .fields import Fields, shown

TEXT, NUMBER, FLAG, LIST, OBJECT = "text", "a number", "true or false", "a list", "an object"

_GROUPS: dict[tuple[str, ...], str] = {
    (TEXT,): """
        $schema mission instrument messenger pipeline subtype alert_type alert_tense
        alert_datetime trigger_time trigger_type observation_start observation_stop
        additional_info data_archive_page mission_page healpix_url light_curve_url known_source
        follow_up_event follow_up_type slew_status alert_topology duration_class flux_unit
        flux_spectral_unit spectral_band_units detection_timescale_units facility_name
        target_name reference_catalog processed_sample localization_algorithm healpix_file""",
    (TEXT, NUMBER, LIST): "id event_name obs_id ref_ID ref_id",
    (NUMBER,): """
        ra dec record_number far p_astro importance nu_energy n_events n_ibd_events
        number_of_events snr rate_snr image_snr rate_duration image_duration t90 event_duration
        detection_interval detection_timescale net_count_rate flux flux_ratio
        luminosity_distance dm galactic_l galactic_b latitude longitude sun_distance
        instrument_theta instrument_phi containment_probability hardness_ratio alpha TS
        trigger_number src_error_50""",
    (NUMBER, LIST): """
        ra_dec_error t90_error flux_error alpha_error luminosity_distance_error dm_error
        trigger_time_error snr_error redshift_error""",
    (FLAG,): """
        systematic_included ground_generated_notice human_in_the_loop in_lat_fov
        high_energy_high_intensity potential_counterpart""",
    (LIST,): """
        rectangular_error_corners energy_range_hard energy_range_soft rate_energy_range
        image_energy_range localization_energy_range flux_spectral_band detectors_status
        triggered_GRDs event_details counterpart_info""",
    (OBJECT,): "detector_status",
    (OBJECT, TEXT): "classification",
}
FIELDS = {name: kinds for kinds, names in _GROUPS.items() for name in names.split()}
"""Field and the kinds that its value may be of; fields that are not here may be anything."""


def kind_of(value: Any) -> str:
    """Return of which kind a JSON value is."""
    if isinstance(value, bool):
        return FLAG
    if isinstance(value, int | float):
        return NUMBER
    return TEXT if isinstance(value, str) else LIST if isinstance(value, list) else OBJECT


def check(fields: Fields) -> None:
    """Flag the fields of a notice that are not of their kind and have no flag already."""
    flagged = {flag.partition(":")[0] for flag in fields.flags}
    for name, value in fields.values.items():
        kinds = FIELDS.get(name)
        if kinds and value is not None and name not in flagged and kind_of(value) not in kinds:
            fields.flag(name, f"{shown(value)} is {kind_of(value)}, where the schema has "
                              + " or ".join(kinds))
