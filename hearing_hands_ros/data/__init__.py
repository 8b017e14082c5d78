"""Recordings and how they are kept."""
