"""What a run would ask and cost, told before anything is asked or written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from micrographia.errors import InputError
from micrographia.instruct.engine.budget import most_tokens
from micrographia.instruct.engine.images import Look, find_images, look_at
from micrographia.instruct.engine.job import Job
from micrographia.instruct.prompts.render import render
from micrographia.instruct.tasks.plan import plan

_SAMPLE: Final = 12
"""Images that are measured for it."""
_BYTES_A_TOKEN: Final = 3.5
"""Bytes of a prompt that a token stands for; numbers take more tokens than words."""
_PICTURE_TOKENS: Final = 1000
_ANSWER_TOKENS: Final = 150
_FORM_TOKENS: Final = 150


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What is to be expected of a run, from a sample of its images.

    Parameters
    ----------
    images : int
        Files that were found.
    measured : int
        Images that the estimate rests on.
    requests : int
        Questions, each put once.
    input_tokens, output_tokens : int
        To be expected; 0 for teachers that are no language models.
    cost_usd : float, optional
        To be expected [USD]; None where the price is not known.
    most_input_tokens, most_output_tokens : int
        If every question is put twice, for a repair, and answered at full length.
    most_cost_usd : float, optional
        The same in USD.
    """

    images: int
    measured: int
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    most_input_tokens: int
    most_output_tokens: int
    most_cost_usd: float | None


def estimate(job: Job) -> Estimate:
    """Estimate a run from its first images, whose cues are measured; nothing is asked, and nothing written.

    Parameters
    ----------
    job : Job
        What would be made.

    Raises
    ------
    InputError
        There is no image, or none of the first ones can be used.
    """
    files = list(find_images(job.sources))
    if not files:
        raise InputError(f"no image in {', '.join(job.sources)}; give image files, or folders with some")
    step = max(1, len(files) // _SAMPLE)
    sample = files[::step][:_SAMPLE]
    seen = [look_at(Look(file=file, place=k, info_bar=job.asked.info_bar))[1] for k, file in enumerate(sample)]
    by_hash = {one.subject.sha256: one.subject for one in seen if one.subject is not None}
    if not by_hash:
        raise InputError(f"none of the images can be used; the first says: {seen[0].error}")
    asked = job.asked
    planned = plan(list(by_hash.values()), tasks=asked.tasks, per_image=asked.per_image, seed=asked.seed)
    said = most_in = most_out = 0
    for assignment in planned:
        subjects = [by_hash[image] for image in assignment.images]
        prompt = render(assignment, subjects, shots=asked.shots, reasoning=asked.reasoning)
        pictures = len(subjects) if job.teacher.sees else 0
        size = len(prompt.system.encode()) + len(prompt.user.encode())
        said += round(size / _BYTES_A_TOKEN) + _FORM_TOKENS + pictures * _PICTURE_TOKENS
        most = most_tokens(prompt, pictures=pictures, max_tokens=job.teacher.max_tokens)
        most_in, most_out = most_in + most[0], most_out + most[1]
    scale = len(files) / len(sample)
    requests = round(len(planned) * scale)
    speaks = job.teacher.max_tokens > 0
    expected = (round(said * scale), min(_ANSWER_TOKENS, job.teacher.max_tokens) * requests) if speaks else (0, 0)
    most_all = (round(2 * most_in * scale), round(2 * most_out * scale))
    price = job.teacher.price
    return Estimate(
        images=len(files),
        measured=len(by_hash),
        requests=requests,
        input_tokens=expected[0],
        output_tokens=expected[1],
        cost_usd=None if price is None else price.usd(*expected),
        most_input_tokens=most_all[0],
        most_output_tokens=most_all[1],
        most_cost_usd=None if price is None else price.usd(*most_all),
    )
