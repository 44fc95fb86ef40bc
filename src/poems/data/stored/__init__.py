"""The guarded way into HDF5 and zarr: what a file claims is checked before it is believed."""
