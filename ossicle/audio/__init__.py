"""Sound to samples to log-mel: files, streams and arrays in, (samples,) and (mel_bins, frames) out."""
