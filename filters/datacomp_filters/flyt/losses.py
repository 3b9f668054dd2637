"""The two losses of FLYT with their gradients in closed form, computed in blocks of rows.

Upstream, for u_i, v_i the normalised image and text features, s_ij = tau u_i.v_j and weights
w = exp(a) that sum to one (arXiv 2503.08805, the weighted CLIP loss):

    L_w = 1/2 sum_i w_i [ logsumexp_j(a_j + s_ij) - a_i - s_ii ]  +  the same with s transposed.

A weight counts three times: in the average, as the frequency of a negative, and in the numerator,
where it changes the value alone. Everything is written with log-weights and logsumexp, so that
logits of 100 and weights of e^-80 are ordinary numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Contrast:
    """The weighted contrastive loss (a scalar) and its gradient by features and log scale."""

    loss: Tensor
    images: Tensor
    texts: Tensor
    log_scale: Tensor


@dataclass(frozen=True)
class ZeroShot:
    """A zero-shot loss (a scalar) and its gradient by features and log scale."""

    loss: Tensor
    images: Tensor
    classes: Tensor
    log_scale: Tensor


def weighted_clip_loss(
    images: Tensor, texts: Tensor, log_scale: Tensor, log_weights: Tensor, rows: int
) -> Contrast:
    """L_w and its gradient; (n, d) normalised features, (n,) log-weights, `rows` a block.

    With equal weights 1/n this is the CLIP loss. Memory holds a few (rows, n) blocks.
    """
    forth = _contrast(images, texts, log_scale, log_weights, rows)
    back = _contrast(texts, images, log_scale, log_weights, rows)
    return Contrast(
        loss=forth.loss + back.loss,
        images=forth.images + back.texts,
        texts=forth.texts + back.images,
        log_scale=forth.log_scale + back.log_scale,
    )


def _contrast(x: Tensor, y: Tensor, log_scale: Tensor, log_weights: Tensor, rows: int) -> Contrast:
    """The half of L_w in which each x_i is to find its y_i.

    With P_ij = softmax_j(a_j + s_ij): dL/ds_ij = 1/2 w_i (P_ij - [i=j]). As s is linear in x and in
    tau, the gradient by log tau is that by x, times x.
    """
    scale, weights = log_scale.exp(), log_weights.exp()
    loss = torch.zeros_like(scale)
    by_x, by_y = torch.empty_like(x), -weights[:, None] * x
    for block in blocks(len(x), rows):
        logits, own = scale * (x[block] @ y.T), scale * (x[block] * y[block]).sum(1)
        mass = torch.logsumexp(logits + log_weights, 1)
        shares = weights[block, None] * torch.exp(logits + log_weights - mass[:, None])
        loss += (weights[block] * (mass - log_weights[block] - own)).sum()
        by_x[block] = shares @ y - weights[block, None] * y[block]
        by_y += shares.T @ x[block]
    by_x, by_y = by_x * (scale / 2), by_y * (scale / 2)
    return Contrast(loss / 2, by_x, by_y, (by_x * x).sum())


def mixed_derivative(
    images: Tensor,
    texts: Tensor,
    image_tangents: Tensor,
    text_tangents: Tensor,
    log_scale: Tensor,
    log_weights: Tensor,
    rows: int,
) -> Tensor:
    """d/da of <dL_w/de, e'>, shape (n,), for features e, their tangents e' and a = log w.

    For e' the tangent of the features along v this is w * d with d = d/dw (v . grad L_w), the mixed
    second derivative of FLYT. By the logarithm it stays finite where w is nearly nothing and d
    huge; the product with a softmax's derivative, which is all that training needs, is the same.

    In closed form, with S' = tau (u'_i.v_j + u_i.v'_j), P as above and r_i = sum_j P_ij S'_ij:
    w_k d_k = 1/2 [ w_k (r_k - S'_kk) + sum_i w_i P_ik (S'_ik - r_i) ] + the same transposed.
    The logit scale has no tangent: it does not enter the downstream loss, so v is zero there.
    """
    forth = (images, texts, image_tangents, text_tangents)
    back = (texts, images, text_tangents, image_tangents)
    return _mixed(*forth, log_scale, log_weights, rows) + _mixed(
        *back, log_scale, log_weights, rows
    )


def _mixed(
    x: Tensor, y: Tensor, dx: Tensor, dy: Tensor, log_scale: Tensor, log_weights: Tensor, rows: int
) -> Tensor:
    scale, weights = log_scale.exp(), log_weights.exp()
    result = torch.zeros_like(log_weights)
    for block in blocks(len(x), rows):
        logits = scale * (x[block] @ y.T) + log_weights
        moved = scale * (dx[block] @ y.T + x[block] @ dy.T)
        moved_own = scale * (dx[block] * y[block] + x[block] * dy[block]).sum(1)
        shares = torch.softmax(logits, 1)
        mean = (shares * moved).sum(1)
        result[block] += weights[block] * (mean - moved_own)
        result += (weights[block, None] * shares * (moved - mean[:, None])).sum(0)
    return result / 2


def zero_shot_loss(
    images: Tensor, classes: Tensor, log_scale: Tensor, labels: Tensor, n: int, rows: int
) -> ZeroShot:
    """Cross-entropy of softmax(tau_d f_j.z_c) at the labels, and its gradient; a sum over `n`.

    (m, d) normalised image features, (C, d) normalised class features, (m,) int64 labels. `n` is
    the size of the whole batch, of which these may be a part: losses of parts add up to the mean.
    """
    scale = log_scale.exp()
    loss = torch.zeros_like(scale)
    by_images, by_classes = torch.empty_like(images), torch.zeros_like(classes)
    for block in blocks(len(images), rows):
        log_shares = torch.log_softmax(scale * images[block] @ classes.T, 1)
        label = labels[block, None]
        loss -= log_shares.gather(1, label).sum()
        error = log_shares.exp_().scatter_add_(
            1, label, torch.full_like(label, -1, dtype=images.dtype)
        )
        by_images[block] = error @ classes
        by_classes += error.T @ images[block]
    share = scale / n
    by_images, by_classes = by_images * share, by_classes * share
    return ZeroShot(loss / n, by_images, by_classes, (by_images * images).sum())


def blocks(n: int, rows: int) -> Iterator[slice]:
    """0..n-1 in slices of at most `rows`; one empty slice if n is 0."""
    for first in range(0, max(n, 1), rows):
        yield slice(first, min(first + rows, n))
