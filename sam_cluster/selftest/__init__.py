"""Known waveforms through the whole path, hook to table, and the error of each stage on the way."""
