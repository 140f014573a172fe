"""What can be measured on a micrograph without knowing what it shows: value, uncertainty, unit, sentence."""

from micrographia.cues.cue import Cue
from micrographia.cues.intensity import contrast, dynamic_range, saturation
from micrographia.cues.look import look
from micrographia.cues.noise import noise_level, sharpness
from micrographia.cues.scan_lines import line_noise
from micrographia.cues.spacings import dominant_spacings
from micrographia.cues.texture import TEXTURE_CUES, texture

__all__ = [
    "TEXTURE_CUES",
    "Cue",
    "contrast",
    "dominant_spacings",
    "dynamic_range",
    "line_noise",
    "look",
    "noise_level",
    "saturation",
    "sharpness",
    "texture",
]
