"""Encoders of others, by folder or hub name: CLIP, SigLIP, FLAVA and DINOv2 through transformers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Float32
from PIL import Image
from safetensors import SafetensorError
from torch.nn import functional

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder, check_texts, version_of
from micrographia.errors import InputError, ReadError
from micrographia.segment.network.normalise import picture

_TEXTS_AT_ONCE: Final = 32
_MOST_FLAVA_TOKENS: Final = 77
_TOKENIZER_FILES: Final = ("tokenizer.json", "vocab.json", "merges.txt", "vocab.txt", "spiece.model")


@dataclass(frozen=True, kw_only=True)
class _Tower:
    """How a kind of model is asked.

    Parameters
    ----------
    model : str
        Class of the transformers library.
    image : callable
        Network and pixels to a vector of each image (batch, dimension), and of each patch (batch, patch, dimension).
    text : callable, optional
        Network and tokens to a vector of each text (batch, dimension).
    """

    model: str
    image: Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    text: Callable[[Any, Any], torch.Tensor] | None = None


def _clip_image(network: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    states = network.vision_model(pixel_values=pixels)
    # Patches are normalised and projected as the class token is; nothing but it was trained to be compared with texts.
    patches = network.vision_model.post_layernorm(states.last_hidden_state[:, 1:])
    return network.visual_projection(states.pooler_output), network.visual_projection(patches)


def _clip_text(network: Any, tokens: Any) -> torch.Tensor:
    features: torch.Tensor = network.get_text_features(
        input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
    ).pooler_output
    return features


def _siglip_image(network: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    states = network.vision_model(pixel_values=pixels)
    return states.pooler_output, states.last_hidden_state


def _siglip_text(network: Any, tokens: Any) -> torch.Tensor:
    # It was trained on texts filled up to full length, and attends to the filling.
    features: torch.Tensor = network.get_text_features(input_ids=tokens["input_ids"]).pooler_output
    return features


def _flava_image(network: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    states = network.image_model(pixel_values=pixels).last_hidden_state
    projected = network.image_projection(states)
    return projected[:, 0], projected[:, 1:]


def _flava_text(network: Any, tokens: Any) -> torch.Tensor:
    states = network.text_model(
        input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
    ).last_hidden_state
    features: torch.Tensor = network.text_projection(states[:, 0])
    return features


def _dinov2_image(network: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    states = network(pixel_values=pixels)
    return states.pooler_output, states.last_hidden_state[:, 1:]


_TOWERS: Final = {
    "clip": _Tower(model="CLIPModel", image=_clip_image, text=_clip_text),
    "siglip": _Tower(model="SiglipModel", image=_siglip_image, text=_siglip_text),
    "flava": _Tower(model="FlavaModel", image=_flava_image, text=_flava_text),
    "dinov2": _Tower(model="Dinov2Model", image=_dinov2_image),
}
KINDS: Final = tuple(_TOWERS)


class HubEncoder(Encoder):
    """A model of the transformers library as an encoder.

    An image becomes 8-bit grey in three equal colours. Squares of its short side, as many as cover it evenly, are each
    scaled to the side that the model works at, so that nothing is cropped away or squeezed; fine structure of large
    images is lost. ``whole`` is the mean of the squares' unit vectors: of the projected class token (CLIP, FLAVA), the
    attention-pooled vector (SigLIP) or the class token (DINOv2).

    ``patches`` come from the last layer. Those of CLIP and FLAVA are projected into the space of the texts, though only
    the class token was trained to lie there; those of SigLIP and DINOv2 have a space of their own.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    network, processor : object
        Model and image processor.
    tokenizer : object, optional
        Of a model that reads.
    side_px : int
        Side that the model works at.
    name, version, licence, caution : str
        See `Encoder`.
    """

    def __init__(
        self,
        kind: str,
        *,
        network: Any,
        processor: Any,
        tokenizer: Any,
        side_px: int,
        name: str,
        version: str,
        licence: str,
        caution: str,
    ) -> None:
        reads = _TOWERS[kind].text is not None
        super().__init__(
            name=name,
            version=version,
            sees=True,
            reads=reads,
            shared_space=reads,
            licence=licence,
            caution=caution,
        )
        self.kind = kind
        self.side_px = side_px
        self._tower = _TOWERS[kind]
        self._network = network.eval()
        self._processor = processor
        self._tokenizer = tokenizer

    def embed_images(
        self, frames: Sequence[Float[np.ndarray, "_height _width"]], *, batch: int = 8
    ) -> Iterator[ImageEmbedding]:
        """Embed images, in their order; see `Encoder`."""
        waiting: list[tuple[tuple[int, int], int]] = []  # shape of an image, number of its squares
        squares: list[Image.Image] = []
        done: list[tuple[np.ndarray, np.ndarray]] = []
        for k, frame in enumerate(frames):
            if frame.ndim != 2 or frame.size == 0:
                raise InputError(
                    f"image {k + 1} of {len(frames)} is of shape {frame.shape}; accepted is (height, width)"
                )
            shown = picture(frame)
            boxes = _squares(shown.size)
            waiting.append(((shown.size[1], shown.size[0]), len(boxes)))
            squares += [shown.crop(box) for box in boxes]
            while len(squares) >= batch or (squares and k == len(frames) - 1):
                done += self._seen(squares[:batch])
                squares = squares[batch:]
            while waiting and len(done) >= waiting[0][1]:
                shape, count = waiting.pop(0)
                yield _joined(done[:count], shape)
                done = done[count:]

    def embed_texts(self, texts: Sequence[str]) -> Float32[np.ndarray, "text dimension"]:
        """Embed texts; see `Encoder`. What is longer than the model was trained on is cut off."""
        text = self._tower.text
        if text is None:
            return super().embed_texts(texts)
        given = check_texts(texts)
        most = int(self._network.config.text_config.max_position_embeddings)
        vectors = []
        with torch.inference_mode():
            for k in range(0, len(given), _TEXTS_AT_ONCE):
                tokens = self._tokenizer(
                    given[k : k + _TEXTS_AT_ONCE],
                    padding="max_length" if self.kind == "siglip" else True,
                    truncation=True,
                    max_length=min(most, _MOST_FLAVA_TOKENS) if self.kind == "flava" else most,
                    return_tensors="pt",
                )
                vectors.append(functional.normalize(text(self._network, tokens), dim=1).numpy())
        return np.concatenate(vectors)

    def _seen(self, squares: Sequence[Image.Image]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the unit vector of each square, and its patches (row, column, dimension)."""
        # The whole square, at the model's own side: some processors would enlarge it and crop.
        inputs = self._processor(
            images=list(squares),
            size={"height": self.side_px, "width": self.side_px},
            do_center_crop=False,
            return_tensors="pt",
        )
        with torch.inference_mode():
            whole, patches = self._tower.image(self._network, inputs["pixel_values"])
            units = functional.normalize(whole, dim=1).float().numpy()
        across = math.isqrt(patches.shape[1])
        grids = patches.float().numpy().reshape(len(squares), across, across, -1)
        return list(zip(units, grids, strict=True))


def _squares(size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Return squares (left, upper, right, lower) that cover an image of a width and height evenly.

    Examples
    --------
    >>> _squares((4, 4)), _squares((4, 10))
    ([(0, 0, 4, 4)], [(0, 0, 4, 4), (0, 3, 4, 7), (0, 6, 4, 10)])
    """
    short, long = min(size), max(size)
    count = -(-long // short)
    starts = np.rint(np.linspace(0, long - short, count)).astype(int).tolist()
    if size[0] >= size[1]:
        return [(s, 0, s + short, short) for s in starts]
    return [(0, s, short, s + short) for s in starts]


def _joined(squares: Sequence[tuple[np.ndarray, np.ndarray]], shape: tuple[int, int]) -> ImageEmbedding:
    """Return one embedding of the squares of an image: each patch from the square whose middle is nearest."""
    grids = np.stack([grid for _, grid in squares])  # (square, row, column, dimension)
    across = grids.shape[1]
    patch_px = min(shape) / across
    if shape[0] > shape[1]:
        grids = grids.transpose(0, 2, 1, 3)  # the long side is along columns from here on
    long = max(shape)
    starts = np.linspace(0, long - min(shape), len(squares))
    middles = (np.arange(int(long / patch_px + 1e-9)) + 0.5) * patch_px
    nearest = np.abs(middles[:, None] - starts[None, :] - min(shape) / 2).argmin(axis=1)
    columns = np.clip(((middles - starts[nearest]) / patch_px).astype(int), 0, across - 1)
    patches = grids[nearest, :, columns].transpose(1, 0, 2)  # (row, column, dimension)
    if shape[0] > shape[1]:
        patches = patches.transpose(1, 0, 2)
    whole = np.mean([unit for unit, _ in squares], axis=0)
    return ImageEmbedding(whole=whole, patches=np.ascontiguousarray(patches), patch_px=patch_px)


def load_hub(kind: str, place: str, *, licence: str, caution: str) -> HubEncoder:
    """Return an encoder from a folder, or from what was downloaded from the Hugging Face hub. Nothing is downloaded.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    place : str
        Folder, or name on the hub, such as ``openai/clip-vit-base-patch32``. Only safetensors are read, and no code of
        the checkpoint runs.
    licence, caution : str
        See `Encoder`.

    Raises
    ------
    InputError
        The model is of another kind.
    ReadError
        It is not there, incomplete, damaged, or a pickle.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    folder = _folder(kind, place)
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt"))
        raise ReadError(
            f"{place} has {pickles[0] + ', a pickle, which can run code' if pickles else 'no weights'}; accepted are "
            f"safetensors. {_way_out(place, kind, pickled=bool(pickles))}"
        )
    try:
        config = transformers.AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
        if config.model_type != kind:
            raise InputError(f"{place} is of type {config.model_type}; {kind}: accepts a checkpoint of type {kind}")
        network, loaded = getattr(transformers, _TOWERS[kind].model).from_pretrained(
            str(folder), use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
        if missing := sorted(loaded["missing_keys"]):  # transformers would fill them with random numbers
            raise ReadError(
                f"{place} lacks {len(missing)} of the weights that {kind} needs, the first {missing[0]}; accepted is a "
                f"whole checkpoint, with image and text side where the kind has both"
            )
        processor = transformers.AutoImageProcessor.from_pretrained(str(folder), backend="pil", trust_remote_code=False)
        tokenizer = None
        if _TOWERS[kind].text is not None:
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ReadError(
            f"{kind}:{place} cannot be loaded ({reason}). {_way_out(place, kind, pickled=False)}"
        ) from error
    side_px = _side(config, processor)
    settings = {
        "side": side_px,
        "mean": [float(v) for v in processor.image_mean],
        "sd": [float(v) for v in processor.image_std],
        "scale": float(processor.rescale_factor),
        "resample": int(processor.resample),
        "grey": "1 to 99 % to 0 to 255, squares of the short side",
    }
    files = [*sorted(folder.glob("*.safetensors")), folder / "config.json"]
    files += [folder / name for name in _TOKENIZER_FILES if tokenizer is not None and (folder / name).is_file()]
    return HubEncoder(
        kind,
        network=network,
        processor=processor,
        tokenizer=tokenizer,
        side_px=side_px,
        name=f"{kind}:{place}",
        version=version_of(files, json.dumps(settings)),
        licence=licence,
        caution=caution,
    )


def _side(config: Any, processor: Any) -> int:
    """Return the side that a model works at, in multiples of its patch."""
    vision = next((getattr(config, n) for n in ("vision_config", "image_config") if hasattr(config, n)), config)
    crop = getattr(processor, "crop_size", None) if getattr(processor, "do_center_crop", False) else None
    sizes = dict(crop or processor.size)
    side = int(sizes.get("height") or sizes.get("shortest_edge") or vision.image_size)
    patch = int(vision.patch_size)
    return max(1, side // patch) * patch


def _folder(kind: str, place: str) -> Path:
    """Return the folder of a checkpoint; of a hub name, where its download lies."""
    if Path(place).is_dir():
        return Path(place)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(place, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, OSError, ValueError) as error:
        raise ReadError(
            f"{kind}:{place} is no folder, and no download of that name is on this computer. "
            f"{_way_out(place, kind, pickled=False)}"
        ) from error


def _way_out(place: str, kind: str, *, pickled: bool) -> str:
    if pickled:
        model = "FlavaForPreTraining" if kind == "flava" else _TOWERS[kind].model
        return (
            'If you trust its authors, convert it once: python -c "import transformers as t; '
            f"t.{model}.from_pretrained('{place}').save_pretrained('FOLDER')\", copy its other files beside, and give "
            f"{kind}:FOLDER"
        )
    if Path(place).exists() or place.startswith((".", "/", "~")):
        return f"Accepted is {kind}:FOLDER with config.json, safetensors, image processor and tokenizer"
    return f"`hf download {place}` gets it, if the hub has it; accepted is also {kind}:FOLDER"
