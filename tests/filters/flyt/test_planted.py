"""Noise that CLIP score cannot see: FLYT and M-FLYT are to find it from a labelled task alone.

An embedding is [48 semantic | 16 nuisance]. 40 % of the captions belong to another picture; for
60 % of those the picture's nuisance is copied into the caption and both are made louder, as
text drawn into a picture is, so that CLIP score ranks them above clean pairs. The classes of the
downstream task differ in the semantic part alone.
"""

import numpy as np
import pytest
import torch

from datacomp_filters.flyt.config import FlytConfig
from datacomp_filters.flyt.heads import GluHead, LinearMixer
from datacomp_filters.flyt.references import EmbeddingReference
from datacomp_filters.flyt.step import Pairs
from datacomp_filters.flyt.training import train_flyt

SEMANTIC, NUISANCE, CLASSES, PAIRS, IMAGES = 48, 16, 20, 8000, 6000
LOUD, NUISANCE_DEVIATION, IMAGE_DEVIATION = 1.6, 2.3, 2.5


class Planted:
    """The pool and the task, and both as batches."""

    n_classes = CLASSES

    def __init__(self, seed, columns=False):
        random = np.random.default_rng(seed)
        self.seed, self.centres = seed, random.normal(size=(CLASSES, SEMANTIC))
        meaning = self.centres[random.integers(CLASSES, size=PAIRS)]
        meaning = meaning + random.normal(size=meaning.shape)
        images, texts = (self.embed(meaning, 1.0, random) for _ in range(2))
        bad = np.flatnonzero(random.random(PAIRS) < 0.4)
        texts[bad] = texts[np.roll(bad, 1)]
        shortcut = bad[random.random(len(bad)) < 0.6]
        texts[shortcut, SEMANTIC:] = images[shortcut, SEMANTIC:]
        for side in (images, texts):
            side[shortcut, SEMANTIC:] *= LOUD
        self.clean = np.ones(PAIRS, bool)
        self.clean[bad] = False
        self.clip_score = cosine(images, texts)
        inputs = np.concatenate([images, texts], 1)
        if columns:
            semantic = cosine(images[:, :SEMANTIC], texts[:, :SEMANTIC])
            semantic += 0.7 * semantic.std() * random.normal(size=PAIRS)
            inputs = np.stack([self.clip_score, semantic, random.normal(size=PAIRS)], 1)
        self.rows = [torch.from_numpy(x).float() for x in (images, texts, inputs)]
        self.labels = torch.from_numpy(random.integers(CLASSES, size=IMAGES))
        labelled = self.embed(self.centres[self.labels.numpy()], IMAGE_DEVIATION, random)
        self.labelled = torch.from_numpy(labelled).float()

    def embed(self, meaning, deviation, random):
        """Semantic coordinates with noise, and nuisance beside them."""
        nuisance = NUISANCE_DEVIATION * random.normal(size=(len(meaning), NUISANCE))
        return np.concatenate(
            [meaning + deviation * random.normal(size=meaning.shape), nuisance], 1
        )

    def draw(self, stream, step, n, size):
        return np.random.default_rng([self.seed, stream, step]).integers(n, size=size)

    def pairs(self, step, first, last):
        rows = self.draw(0, step, PAIRS, 256)[first:last]
        return Pairs(*(side[rows] for side in self.rows))

    def images(self, step, first, last):
        rows = self.draw(1, step, IMAGES, 512)[first:last]
        return self.labelled[rows], self.labels[rows]

    def classes(self, step, first, last):
        random = np.random.default_rng([self.seed, 2, step])
        return torch.from_numpy(self.embed(self.centres, 0.5, random)).float()[first:last]


def cosine(x, y):
    return (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)


def auroc(scores, good):
    """How often a good row is above a bad one."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores)] = np.arange(1, len(scores) + 1)
    n = good.sum()
    return (ranks[good].sum() - n * (n + 1) / 2) / (n * (len(good) - n))


def train(planted, scorer, folder, reference_rate, scoring_rate):
    config = FlytConfig(
        steps=250,
        upstream_batch=256,
        downstream_batch=512,
        reference_rate=reference_rate,
        scoring_rate=scoring_rate,
        warmup_steps=20,
    )
    reference = EmbeddingReference(64, 64, width=32)
    found = train_flyt(config, planted, [planted], reference, scorer, folder, lambda line: None)
    return found, auroc(scorer.scores(found, planted.rows[2]).numpy(), planted.clean)


@pytest.mark.parametrize("seed", [0, 1])
def test_flyt_sees_what_clip_score_does_not(seed, tmp_path):
    planted = Planted(seed)
    blind = auroc(planted.clip_score, planted.clean)
    _, found = train(planted, GluHead(64, 64), tmp_path, 3e-3, 1e-2)
    assert blind < 0.55
    assert found >= 0.8
    assert found >= blind + 0.2


@pytest.mark.parametrize("seed", [0, 1])
def test_the_mixer_weighs_what_helps_and_leaves_noise(seed, tmp_path):
    planted = Planted(seed, columns=True)
    columns = planted.rows[2]
    mixer = LinearMixer(columns.mean(0), columns.std(0))
    parameters, found = train(planted, mixer, tmp_path, 1e-3, 5e-3)
    _, semantic, noise = weights = parameters["weight"][0].tolist()
    assert semantic == max(weights, key=abs)
    assert semantic > 0
    assert abs(noise) <= 0.2
    assert found >= 0.85
