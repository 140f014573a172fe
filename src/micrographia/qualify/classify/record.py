"""``classifier.json``: what a classifier is, what it learned from and what was measured on it."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, PositiveFloat, PositiveInt

SCHEMA: Final = "micrographia/classifier/1"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class Share(_Part):
    """A share with its 95 % interval."""

    value: FiniteFloat = Field(ge=0, le=1)
    low: FiniteFloat = Field(ge=0, le=1)
    high: FiniteFloat = Field(ge=0, le=1)


class ClassRecord(_Part):
    """One class."""

    name: str
    images: PositiveInt
    specimens: PositiveInt
    recall: Share = Field(description="Share of its images that were told right, cross-validated")


class Measured(_Part):
    """What was measured by cross-validation: on images of specimens that the model had not seen."""

    accuracy: Share = Field(description="Share of all images")
    balanced_accuracy: Share = Field(description="Mean of the recall of the classes")
    classes: tuple[ClassRecord, ...]
    confusion: tuple[tuple[NonNegativeInt, ...], ...] = Field(
        description="Images, a row a true class, a column a said one"
    )
    loss_nats: FiniteFloat = Field(
        description="Mean negative log-probability of the true class, every class counting alike"
    )
    folds: PositiveInt


class Settings(_Part):
    """How it was trained."""

    tile_px: PositiveInt | None
    info_bar: bool = Field(description="Whether bars of print were read and cut off")
    seed: NonNegativeInt
    strengths: tuple[PositiveFloat, ...] = Field(description="Inverse strengths of the penalty that were tried")
    strength: PositiveFloat = Field(description="The one that was chosen")


class EncoderRecord(_Part):
    """What made the vectors."""

    name: str
    version: str


class ImageRecord(_Part):
    """One image that was learned from."""

    file: str
    sha256: str
    class_: str = Field(alias="class")
    specimen: str


class ClassifierRecord(_Part):
    """A classifier of whole micrographs."""

    schema_: Literal["micrographia/classifier/1"] = Field(alias="schema")
    classes: tuple[str, ...] = Field(min_length=2)
    encoder: EncoderRecord
    settings: Settings
    measured: Measured
    temperature: PositiveFloat
    neighbours: PositiveInt = Field(description="How many of the nearest training images an image is compared with")
    images: tuple[ImageRecord, ...]
    unreadable: tuple[str, ...] = Field(description="Files of the folder that could not be used")
    weights_sha256: str = Field(description="SHA-256 of classifier.safetensors")
    software: dict[str, str]
