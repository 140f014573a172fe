"""All cues of a micrograph."""

from __future__ import annotations

from micrographia.cues.cue import Cue
from micrographia.cues.intensity import contrast, dynamic_range, saturation
from micrographia.cues.noise import noise_level, sharpness
from micrographia.cues.scan_lines import line_noise
from micrographia.cues.spacings import dominant_spacings
from micrographia.micrograph import Micrograph


def look(micrograph: Micrograph) -> tuple[Cue, ...]:
    """Measure all that can be measured without knowing what a micrograph shows, channel by channel.

    Parameters
    ----------
    micrograph : Micrograph
        What to look at.

    Returns
    -------
    tuple of Cue
        Spacings and sharpness (not of a diffraction pattern, which is not an image), noise, line noise (unless the
        technique records all pixels at once), contrast, dynamic range and saturation.

    Raises
    ------
    InputError
        All pixels of a channel are equal.

    Examples
    --------
    >>> import numpy as np
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> frames = np.random.default_rng(0).normal(100, 5, (1, 64, 64)).astype(np.float32)
    >>> found = look(Micrograph(frames=frames, pixel_size_nm=None, context=Context(), provenance=source))
    >>> [cue.name for cue in found][:4]
    ['spacing', 'information limit', 'noise', 'signal to noise']
    """
    found: list[Cue] = []
    scanned = micrograph.context.technique in (None, "STEM", "SEM")
    for channel in range(len(micrograph.frames)):
        if micrograph.context.technique != "diffraction":
            found += dominant_spacings(micrograph, channel=channel)
            found.append(sharpness(micrograph, channel=channel))
        found += noise_level(micrograph, channel=channel)
        if scanned:
            found.append(line_noise(micrograph, channel=channel))
        found.append(contrast(micrograph, channel=channel))
        found.append(dynamic_range(micrograph, channel=channel))
        found.append(saturation(micrograph, channel=channel))
    return tuple(found)
