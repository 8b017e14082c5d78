"""Image encoders: pictures in, features out."""
