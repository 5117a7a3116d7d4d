"""Catalogues: galaxies as HEALPix-partitioned Parquet, matched with sky maps in three dimensions."""
