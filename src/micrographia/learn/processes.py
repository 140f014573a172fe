"""Which of several processes this is, as torchrun or accelerate started them."""

from __future__ import annotations

import torch
from accelerate import PartialState


def this_process() -> PartialState:
    """Return the state of this process among all of a training.

    The first one to ask decides for all that follows. Accelerate takes processes on processors for processes of their
    own, each of which would do the whole work, unless it is told that they have no accelerator.

    Examples
    --------
    >>> this_process().num_processes
    1
    """
    return PartialState(cpu=not torch.cuda.is_available())
