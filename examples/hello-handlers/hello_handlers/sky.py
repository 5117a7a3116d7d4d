"""What can be computed without any broker: values in, values out."""

import math


def altitude(declination: float, hour_angle: float, latitude: float) -> float:
    """Return how high a source stands above the horizon.

    Parameters
    ----------
    declination, hour_angle, latitude : float
        Degrees.

    Returns
    -------
    float
        Degrees; negative below the horizon. From the law of cosines on the sphere:
        sin a = sin(lat) sin(dec) + cos(lat) cos(dec) cos(ha).
    """
    dec, ha, lat = map(math.radians, (declination, hour_angle, latitude))
    sine = math.sin(lat) * math.sin(dec) + math.cos(lat) * math.cos(dec) * math.cos(ha)
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))
