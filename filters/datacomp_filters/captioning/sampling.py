"""Nucleus sampling whose randomness is given: each row draws by its own uid and nothing else.

A token is drawn as transformers' `generate(do_sample=True)` draws it: repetition penalty (Keskar et
al., arXiv 1909.05858), minimum length, temperature, the `top_k` most probable tokens, and of these
the smallest set that holds `top_p` of the probability (Holtzman et al., arXiv 1904.09751). The draw
itself inverts the cumulative probabilities, most probable first, at a number between 0 and 1.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from datacomp.errors import FilterError, require
from datacomp.subset import UidArray
from datacomp.subset.selectors import uid_draws

if TYPE_CHECKING:
    from torch import Tensor

Uniforms = npt.NDArray[np.float64]

NextLogits = Callable[["Tensor"], "Tensor"]
"""Tokens so far, (n, t) int64, to the logits of the next one, (n, vocabulary) float32.

Called with t growing by one, so that it may keep what it computed.
"""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How captions are drawn; both lengths count the prompt's tokens and the end token.

    The defaults are SIEVE's: those of its call of BLIP, and of transformers 4.30 where it leaves
    them alone (`top_k`, `temperature`).
    """

    top_p: float = 0.9
    top_k: int = 50
    temperature: float = 1.0
    repetition_penalty: float = 1.1
    min_length: int = 5
    max_length: int = 20


def sample(
    logits: NextLogits, prompt: tuple[int, ...], end: int, how: Sampling, uniforms: Uniforms
) -> list[list[int]]:
    """Draw one continuation of `prompt` for each row of `uniforms`, (n, max_length - prompt).

    Returns the tokens after the prompt, without the end token. Logits stay on their device; the
    last step of the draw is made in float64.
    """
    torch = require("torch", "train")
    tokens = torch.tensor(prompt, dtype=torch.int64).repeat(len(uniforms), 1)
    done = torch.zeros(len(uniforms), dtype=torch.bool)
    for column in uniforms.T:
        candidates, weights = distribution(logits(tokens), tokens, end, how)
        drawn = _draw(candidates, weights, torch.from_numpy(column.copy()))
        drawn[done] = end
        tokens = torch.cat([tokens, drawn[:, None]], dim=1)
        done |= drawn == end
        if bool(done.all()):
            break
    rows: list[list[int]] = tokens[:, len(prompt) :].tolist()
    return [row[: row.index(end)] if end in row else row for row in rows]


def distribution(
    logits: "Tensor", tokens: "Tensor", end: int, how: Sampling
) -> tuple["Tensor", "Tensor"]:
    """What the next token is drawn from: tokens, most probable first, and their probabilities.

    Both (n, top_k), on the CPU, int64 and float64; tokens outside the nucleus have probability 0.
    `tokens` (n, t) are those so far. `FilterError` if a logit is NaN.
    """
    torch = require("torch", "train")
    seen = tokens.to(logits.device)
    of_seen = logits.gather(1, seen)
    penalty = how.repetition_penalty
    of_seen = torch.where(of_seen < 0, of_seen * penalty, of_seen / penalty)
    logits = logits.scatter(1, seen, of_seen)
    if tokens.shape[1] < how.min_length:
        logits[:, end] = -torch.inf
    best, candidates = logits.topk(min(how.top_k, logits.shape[1]), dim=1)
    if not bool(torch.isfinite(best[:, 0]).all()):
        raise FilterError("the captioner's logits are not finite: its weights are damaged")
    weights = torch.softmax(best.double().cpu() / how.temperature, dim=1)
    before = weights.cumsum(1) - weights
    weights = weights.masked_fill(before >= how.top_p, 0.0)
    return candidates.cpu(), weights / weights.sum(1, keepdim=True)


def _draw(candidates: "Tensor", weights: "Tensor", uniforms: "Tensor") -> "Tensor":
    """The candidate at each uniform number of the cumulative probabilities, (n,) int64."""
    reached = (weights.cumsum(1) <= uniforms[:, None]).sum(1)
    # Rounding may leave the sum of all a little below 1; the last one that can be drawn is taken.
    last = (weights > 0).sum(1) - 1
    return candidates.gather(1, reached.minimum(last)[:, None])[:, 0]


def uniform_numbers(uids: UidArray, seed: int, copies: int, steps: int) -> Uniforms:
    """(n * copies, steps) numbers in [0, 1): the copies of a row stand together.

    Each follows from the row's uid, the seed, the copy's number and the step alone.
    """
    numbers = np.empty((len(uids), copies, steps))
    for copy in range(copies):
        for step in range(steps):
            bits = uid_draws(uids, _stream(seed, copy, step))
            numbers[:, copy, step] = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers.reshape(len(uids) * copies, steps)


def _stream(seed: int, copy: int, step: int) -> int:
    """A seed of its own for every draw of a row."""
    digest = hashlib.blake2b(f"caption {seed} {copy} {step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
