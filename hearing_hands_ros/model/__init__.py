"""Networks that predict the sound of touch, what they are sampled with, and how they are kept."""
