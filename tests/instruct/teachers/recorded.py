"""Small images, and a provider that knows the true answers about them: recorded from the teacher that words facts."""

from __future__ import annotations

import asyncio
import json

import numpy as np
from loopback_provider import Say
from PIL import Image
from scipy.ndimage import gaussian_filter

from micrographia.instruct.assignment import TASKS
from micrographia.instruct.engine.images import Look, find_images, look_at
from micrographia.instruct.prompts.render import render
from micrographia.instruct.tasks.plan import plan
from micrographia.instruct.teachers.cues import CuesTeacher


def draw_images(folder, count=6, size=64):
    """Write images that differ in scale, contrast and noise; their names must reach nobody."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        rng = np.random.default_rng(k)
        frame = gaussian_filter(rng.normal(0, 1, (size, size)), 0.6 + 0.35 * (k % 7))
        frame = 120 + frame / frame.std() * (8 + 4 * (k % 5)) + rng.normal(0, 1 + k % 4, frame.shape)
        Image.fromarray(np.clip(frame, 0, 255).astype(np.uint8)).save(folder / f"secretname{k:03d}.png")
    return folder


def recorded(folder, per_image, tasks=TASKS):
    """Return each question of a plan with its true answer, as `CuesTeacher` words it, by the words of its prompt."""
    seen = [look_at(Look(file=file, place=0, info_bar=True))[1] for file in find_images([str(folder)])]
    by_hash = {one.subject.sha256: one.subject for one in seen if one.subject is not None}
    answers = {}
    for assignment in plan(list(by_hash.values()), tasks=tasks, per_image=per_image, seed=0):
        subjects = [by_hash[image] for image in assignment.images]
        prompt = render(assignment, subjects, shots=0, reasoning=True)
        answers[prompt.user] = (assignment, asyncio.run(CuesTeacher().reply(assignment, prompt, subjects)))
    return answers


def alone(answers):
    """Return the prompts of questions that no other question hangs on, by order of images or balance of answers."""
    return sorted(user for user, (assignment, _) in answers.items() if assignment.answer_type in ("text", "number"))


def words_of(body):
    """Return the text of a request, without the pictures."""
    content = body["messages"][1]["content"]
    return content if isinstance(content, str) else content[0]["text"]


def truthfully(answers):
    """Return what a provider says that knows them; a repair begins with the words of the first question."""

    def say(body, number):
        asked = words_of(body)
        _, reply = answers.get(asked) or next(a for user, a in answers.items() if asked.startswith(user))
        return told(body, reply.answer, reply.reasoning)

    return say


def told(body, answer, reasoning):
    """Return an answer in the form that a request asks for."""
    schema = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]
    value = float(answer) if schema.get("type") == "number" else answer
    return Say(content=json.dumps({"reasoning": reasoning, "answer": value}))


def wrong(body):
    """Return an answer that is in the right form and not true."""
    schema = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]
    if "enum" in schema:
        return told(body, schema["enum"][0], "The edge density is 987654 px per 1000 px².")
    if schema.get("type") == "number":
        return told(body, 987654.0, "It was counted.")
    return told(body, "The image shows 987654 particles of gold in a matrix of silver.", "")
