"""Hearing Hands as it was published: conditioner, velocity network, sampler, autoencoder, vocoder."""
