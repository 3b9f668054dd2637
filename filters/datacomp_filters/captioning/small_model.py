"""The small captioner's network: convolutions that see, a recurrent decoder that looks at them.

About two million weights, most of them convolutions; words share one matrix as input and output.
Beside captions it learns, as CoCa does, to tell which caption of a batch is whose picture's: words
that are alike come to stand for pictures that are alike, which a vocabulary of rare words needs.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from datacomp_filters.captioning.words import PAD, START, UNKNOWN

PIXELS = 48
CHANNELS = (24, 48, 96, 192)
WIDTH = 128
DROPOUT = 0.2
# Gray and spread of pictures: those of OpenAI CLIP's statistics, averaged over the channels.
_MEAN, _STD = 0.45, 0.27


class SmallCaptioner(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Pictures (n, PIXELS, PIXELS, 3) uint8 and tokens (n, t) to logits (n, t, words)."""

    def __init__(self, n_words: int) -> None:
        super().__init__()
        last = CHANNELS[-1]
        stem = (nn.Conv2d(3, CHANNELS[0], 3, 2, 1, bias=False), nn.BatchNorm2d(CHANNELS[0]))
        blocks = [_Block(CHANNELS[0], CHANNELS[0], 1)]
        for before, after in pairwise(CHANNELS):
            blocks.append(_Block(before, after, 2))
        self.eye = nn.Sequential(*stem, nn.ReLU(), *blocks)
        self.words = nn.Embedding(n_words, WIDTH)
        nn.init.normal_(self.words.weight, std=WIDTH**-0.5)
        self.whole = nn.Linear(last, WIDTH)
        self.begin = nn.Linear(last, WIDTH)
        self.decoder = nn.GRU(2 * WIDTH, WIDTH, batch_first=True)
        self.query = nn.Linear(WIDTH, WIDTH)
        self.keys = nn.Linear(last, WIDTH)
        self.values = nn.Linear(last, WIDTH)
        self.out = nn.Linear(2 * WIDTH, WIDTH)
        self.bias = nn.Parameter(torch.zeros(n_words))
        self.dropout = nn.Dropout(DROPOUT)
        self.picture_side = nn.Linear(last, WIDTH)
        self.caption_words = nn.Embedding(n_words, WIDTH)
        self.log_scale = nn.Parameter(torch.tensor(2.6))

    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised pictures (n, 3, s, s) to places, (n, places, channels)."""
        seen: torch.Tensor = self.eye(pixels.contiguous(memory_format=torch.channels_last))
        return seen.flatten(2).transpose(1, 2)

    def decode(
        self, places: torch.Tensor, tokens: torch.Tensor, state: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, t, words) after each token, and the state to go on from (None: begin)."""
        mean = places.mean(1)
        if state is None:
            state = torch.tanh(self.begin(mean))[None]
        whole = self.whole(mean)[:, None].expand(-1, tokens.shape[1], -1)
        heard, state = self.decoder(torch.cat([self.dropout(self.words(tokens)), whole], 2), state)
        weights = self.query(heard) @ self.keys(places).transpose(1, 2) / WIDTH**0.5
        looked = weights.softmax(2) @ self.values(places)
        spoken = self.dropout(torch.tanh(self.out(torch.cat([heard, looked], 2))))
        return F.linear(spoken, self.words.weight, self.bias), state

    def loss(self, pixels: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy of the captions, and of which is whose; means, in nats."""
        places = self.see(pixels)
        logits, _ = self.decode(places, tokens[:, :-1], None)
        spoken = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=PAD)
        return spoken, self._contrast(places.mean(1), tokens)

    def _contrast(self, seen: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        is_word = (tokens > UNKNOWN).float()[..., None]
        said = (self.caption_words(tokens) * is_word).sum(1) / is_word.sum(1).clamp(min=1)
        pictures = F.normalize(self.picture_side(seen), dim=1)
        cosines = pictures @ F.normalize(said, dim=1).T * self.log_scale.clamp(max=4.6).exp()
        # Equal captions are not each other's wrong answers.
        right = torch.arange(len(tokens), device=tokens.device)
        same = (tokens[:, None] == tokens[None]).all(2) & (right[:, None] != right[None])
        cosines = cosines.masked_fill(same, -torch.inf)
        return (F.cross_entropy(cosines, right) + F.cross_entropy(cosines.T, right)) / 2


class _Block(nn.Module):  # type: ignore[misc]
    """Two convolutions beside a short cut (He et al., arXiv 1512.03385)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.short = nn.Identity() if stride == 1 else _shrunk(before, after, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.short(x) + self.path(x))


def _shrunk(before: int, after: int, stride: int) -> nn.Sequential:
    fitted = nn.Conv2d(before, after, 1, bias=False)
    return nn.Sequential(nn.AvgPool2d(stride), fitted, nn.BatchNorm2d(after))


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """(n, s, s, 3) uint8 to (n, 3, s, s) float32 around 0."""
    return (pixels.permute(0, 3, 1, 2).float() / 255 - _MEAN) / _STD


def speakable(logits: torch.Tensor) -> torch.Tensor:
    """The logits without the tokens that are no words, in place."""
    logits[:, [PAD, START, UNKNOWN]] = -torch.inf
    return logits
