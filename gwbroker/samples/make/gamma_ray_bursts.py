"""GRB 170817A as Fermi saw it and GRB 221009A as Swift saw it, as GCN's classic VOEvents."""

from __future__ import annotations

from dataclasses import replace

from gcn import NoticeType

from .voevent import Packet

# GRB 170817A: trigger number and time in GCN Circular 21506. The radii are one standard
# deviation (68 % containment), statistical only.
FERMI_TIME = "2017-08-17T12:41:06.47"
FERMI_TRIGGER = {
    "TrigID": ("524666471", "", "meta.id"),
    "Burst_TJD": ("17982", "days", "time"),
    "Burst_SOD": ("45666.47", "sec", "time"),
}
FERMI_ALERT = f"Fermi#GBM_Alert_{FERMI_TIME}_524666471_1-900"

FERMI = Packet(
    # Position by the flight software, half a minute after the trigger: Goldstein et al. 2017,
    # ApJL 848, L14, section 2.
    kind=NoticeType.FERMI_GBM_FLT_POS, ivorn=f"Fermi#GBM_Flt_Pos_{FERMI_TIME}_524666471_55-901",
    written="2017-08-17T12:41:31", time=FERMI_TIME, ra=172.0167, dec=-34.7833, error=32.6,
    author="Fermi (via VO-GCN)", instrument="Fermi Satellite, GBM Instrument",
    params={**FERMI_TRIGGER, "Pkt_Ser_Num": "1"}, cites=FERMI_ALERT,
)

FERMI_GROUND = replace(
    # Automatic position on the ground, with its significance of 6.0 in 2.048 s: the notice itself.
    FERMI, kind=NoticeType.FERMI_GBM_GND_POS,
    ivorn=f"Fermi#GBM_Gnd_Pos_{FERMI_TIME}_524666471_57-902", written="2017-08-17T12:41:43",
    ra=186.62, dec=-48.84, error=17.45,
    params={
        **FERMI_TRIGGER, "Pkt_Ser_Num": "2",
        "Burst_Signif": ("6.00", "sigma", "stat.snr"),
        "Data_Integ": ("2.048", "sec", "time.interval"),
    },
)

FERMI_FINAL = replace(
    # The position that people on the ground found: GCN Circulars 21506 and 21520.
    FERMI, kind=NoticeType.FERMI_GBM_FIN_POS,
    ivorn=f"Fermi#GBM_Fin_Pos_{FERMI_TIME}_524666471_0-903", written="2017-08-17T13:26:00",
    ra=176.8, dec=-39.8, error=11.6, params={**FERMI_TRIGGER, "Pkt_Ser_Num": "3"},
)

# GRB 221009A: trigger 1126853, time, positions and radii (90 % containment) in GCN Circular 32632.
SWIFT_TIME = "2022-10-09T14:10:17.00"
SWIFT_TRIGGER = {
    "TrigID": ("1126853", "", "meta.id"),
    "Segment_Num": ("0", "", "meta.id.part"),
    "Burst_TJD": ("19861", "days", "time"),
    "Burst_SOD": ("51017.00", "sec", "time"),
}

SWIFT_BAT = Packet(
    kind=NoticeType.SWIFT_BAT_GRB_POS_ACK, ivorn="SWIFT#BAT_GRB_Pos_1126853-901",
    written="2022-10-09T14:10:37", time=SWIFT_TIME, ra=288.263, dec=19.803, error=3 / 60,
    author="VO-GCN", instrument="Swift Satellite, BAT Instrument",
    params={**SWIFT_TRIGGER, "Pkt_Ser_Num": "1"}, name="GRB 221009A",
)

SWIFT_XRT = replace(
    SWIFT_BAT, kind=NoticeType.SWIFT_XRT_POSITION, ivorn="SWIFT#XRT_Pos_1126853-902",
    # The XRT began to observe at 14:13:30 UTC.
    written="2022-10-09T14:13:50", ra=288.2643, dec=19.7712, error=5.6 / 3600,
    instrument="Swift Satellite, XRT Instrument",
    params={**SWIFT_TRIGGER, "Pkt_Ser_Num": "2"}, cites=SWIFT_BAT.ivorn,
)


def messages() -> dict[str, bytes]:
    """Return the messages by file name."""
    return {
        "grb170817a-fermi-flight.xml": FERMI.xml(),
        "grb170817a-fermi-ground.xml": FERMI_GROUND.xml(),
        "grb170817a-fermi-final.xml": FERMI_FINAL.xml(),
        "grb221009a-swift-bat.xml": SWIFT_BAT.xml(),
        "grb221009a-swift-xrt.xml": SWIFT_XRT.xml(),
    }
