"""Predict the sound of touch, and listen for what does not fit."""

from pkgutil import extend_path

# The generated messages are installed as `hearing_hands_ros` too; this joins a source checkout to them.
__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"
