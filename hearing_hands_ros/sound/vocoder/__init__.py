"""From log-mel spectrograms to sound."""
