"""Assets: files that filters compute with and that no package carries, declared with their hashes.

    find_assets("small_centroids", given=None, parameter="centroids")

answers with the file that the user gave, else with the one in the folder `DATACOMP_ASSETS`, else
with the one that `datacomp assets fetch` put into the cache; filters never fetch. A released file
found by its name must have the released content; a given one is taken as it is. Either way its
hash is part of every key and lock file. Names, places and hashes are those of DataComp's
baselines/utils.py; WordNet is NLTK's package, as the original has it.
"""

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from datacomp.errors import FilterError, UnknownNameError
from datacomp.files import sha256_file
from datacomp.filtering.contract import Asset
from datacomp.workspace import cache_dir

VARIABLE = "DATACOMP_ASSETS"
_RELEASE = "https://github.com/sagadre/datacomp_baseline_assets/releases/download/v0.1.0-alpha/"


@dataclass(frozen=True)
class RemoteFile:
    """A file, where it is to be had, and the hex sha256 of its content."""

    file: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Release:
    """A released asset: one file or more; `megabytes` in all, None if not known beforehand."""

    name: str
    what: str
    needed_by: tuple[str, ...]
    licence: str
    files: tuple[RemoteFile, ...]
    megabytes: float | None


@dataclass(frozen=True)
class FoundAsset(Asset):
    """An asset on this disk; a released one has an `expected` hex sha256."""

    expected: str | None = field(default=None, compare=False)

    def sha256(self) -> str:
        """Hex sha256 of the file; `FilterError` if it is not the released one.

        Read once for a path, size and time of change.
        """
        if not self.path.is_file():
            raise FilterError(f"asset {self.name!r} is not at {self.path}; give another path")
        found = hash_once(self.path)
        if self.expected not in (None, found):
            raise FilterError(
                f"{self.path} is not the released asset {self.name!r}: sha256 {found}, expected "
                f"{self.expected}. Remove it and run: datacomp assets fetch {self.name}"
            )
        return found


def hash_once(path: Path) -> str:
    """Hex sha256 of a file, remembered for its path, size and time of change."""
    facts = path.stat()
    return _hash(path.resolve(), facts.st_size, facts.st_mtime_ns)


def find_assets(name: str, given: str | None, parameter: str) -> tuple[FoundAsset, ...]:
    """The files of a released asset, or what the user gave instead through `parameter`.

    `given` is a path to a file, or to a folder that holds the release's files by their names.
    `FilterError` saying how to get what is missing.
    """
    release = find_release(name)
    if given is None:
        return tuple(_released(release, file, parameter) for file in release.files)
    path = Path(given).expanduser()
    names = [file.file for file in release.files] if path.is_dir() else [""]
    missing = [path / file for file in names if not (path / file).is_file()]
    if missing:
        raise FilterError(
            f"asset {name!r} is not at {missing[0]}, where {parameter}={given} says. Give another "
            f"path, or leave {parameter} out and run: datacomp assets fetch {name}"
        )
    return tuple(FoundAsset(_label(release, Path(file)), path / file) for file in names)


def find_release(name: str) -> Release:
    """A declared asset by its name; `UnknownNameError` with the nearest name."""
    if name not in RELEASES:
        raise UnknownNameError("asset", name, RELEASES, "datacomp assets list")
    return RELEASES[name]


def folders() -> tuple[Path, ...]:
    """Where assets are looked for, in order; `datacomp assets fetch` writes to the last."""
    named = os.environ.get(VARIABLE)
    return (*([Path(named).expanduser()] if named else []), cache_dir() / "assets")


def locate(file: RemoteFile) -> Path | None:
    """Where a released file lies, by its name alone; None if nowhere."""
    return next((f / file.file for f in folders() if (f / file.file).is_file()), None)


def _released(release: Release, file: RemoteFile, parameter: str) -> FoundAsset:
    path = locate(file)
    if path is None:
        size = f" ({release.megabytes:,.3g} MB)" if release.megabytes else ""
        raise FilterError(
            f"asset {release.name!r} (needed by {', '.join(release.needed_by)}) is not on this "
            f"machine: no {file.file} in {' or '.join(map(str, folders()))}. Run: datacomp assets "
            f"fetch {release.name}{size}; or give {parameter}=PATH, or set {VARIABLE} to a folder "
            "that has it"
        )
    return FoundAsset(_label(release, path), path, file.sha256)


def _label(release: Release, path: Path) -> str:
    """What keys know a file as: not by its path; the parts of an asset by their names."""
    return f"{release.name}/{path.name}" if len(release.files) > 1 and path.name else release.name


@lru_cache(maxsize=256)
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    return sha256_file(path)


def _baseline(name: str, file: str, sha256: str) -> RemoteFile:
    return RemoteFile(file, _RELEASE + name, sha256)


def _centroids(scale: str, sha256: str) -> Release:
    file = f"{scale}_centroids_l14.pt"
    return Release(
        f"{scale}_centroids",
        f"100,000 centres of k-means over the {scale} pool's CLIP L/14 image features",
        ("image_based", "image_based_intersect_clip_score", "image_based_sampling"),
        "none stated by the DataComp authors",
        (_baseline(file, file, sha256),),
        307,
    )


_FEATURE_HASHES = (
    "304990fd492f40ba90072b80af78d6e8edcab9d042476ef513e03441cf53743b",
    "72f008e6aa3bfb54174fa322963215337f843fc90fd642a9dccc815dd9e7ee76",
    "83c3cc6503b8a50a22cac7023ca6cd61b130ab9725db2a7519f1bec5cabf5493",
    "83faa289f847799ddcd438e5b74df1cb5973c345674896d10ba31ea48bc63804",
    "067a45f4a140a93371876510a2fd9198a89ac1d194ae4063a51b45a6da69cadf",
)

RELEASES: dict[str, Release] = {
    release.name: release
    for release in (
        Release(
            "lid.176.bin",
            "fastText's language model, unquantised, as the original uses it",
            ("language_model=lid.176.bin",),
            "CC BY-SA 3.0",
            (
                RemoteFile(
                    "lid.176.bin",
                    "https://dl.fbaipublicfiles.com/fasttext/supervised-models/lid.176.bin",
                    "7e69ec5451bc261cc7844e49e4792a85d7f09c06789ec800fc4a44aec362764e",
                ),
            ),
            131,
        ),
        Release(
            "wordnet",
            "WordNet 3.0, as NLTK packs it",
            ("text_based", "text_based_sampling", "metaclip", "concept_frequency"),
            "WordNet 3.0 licence (free, with notice)",
            (
                RemoteFile(
                    "wordnet.zip",
                    "https://raw.githubusercontent.com/nltk/nltk_data/"
                    "550b6625bcef1f2abff2ff770a5a0d272c9c6b2a/packages/corpora/wordnet.zip",
                    "cbda5ea6eef7f36a97a43d4a75f85e07fccbb4f23657d27b4ccbc93e2646ab59",
                ),
            ),
            10.8,
        ),
        Release(
            "imagenet21k_wordnet_ids",
            "the WordNet ids of ImageNet-21k's classes",
            ("text_based", "text_based_sampling"),
            "none stated by the DataComp authors",
            (
                _baseline(
                    "imagenet21k_wordnet_ids.txt",
                    "imagenet21k_wordnet_ids.txt",
                    "66362bdedf36d933382edca5493fc562dcc17128ce36403c9e730a75f48cb2f2",
                ),
            ),
            0.2,
        ),
        _centroids("small", "23c66a05e49ad77283c1e2b33355c7eb088ac332a944c97ff85d5dfd48a5b251"),
        _centroids("medium", "028b1721b1d0f139c565b6b0ac99f8a1756f4bae89c36b0ec6d1c6ea9b6f112d"),
        _centroids("large", "04eeab1069d3540c246cf7ce69323147351a474017fc472e4c50a018ca32240b"),
        _centroids("xlarge", "3f62e5f8ae3a715ce84e422846fcfce1536d184455ea234790c4a6465c4c6726"),
        Release(
            "in1k_clip_vit_l14",
            "CLIP L/14 features of the ImageNet-1k training images",
            ("image_based", "image_based_intersect_clip_score", "image_based_sampling"),
            "none stated by the DataComp authors; made from ImageNet-1k",
            tuple(
                _baseline(file, file, digest)
                for number, digest in enumerate(_FEATURE_HASHES)
                for file in (f"in1k_clip_vit_l14_{number}.pt",)
            ),
            None,
        ),
    )
}
