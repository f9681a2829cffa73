"""Trace data sets of the COST 2100 model: drawn in blocks, streamed into npz, CsiNet .mat and Parquet files, resumable."""
