"""Sound as numbers: files, spectrograms, onsets."""
