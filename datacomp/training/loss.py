"""CLIP's loss over a batch that several processes hold, with gradients by features in closed form.

For normalised features u_i of images and v_j of texts, s_ij = tau u_i.v_j and a batch of n pairs:

    L = 1/2n sum_i [ logsumexp_j s_ij + logsumexp_j s_ji - 2 s_ii ]          (arXiv 2103.00020)

A process computes the rows of its own images and texts, its logsumexps are gathered, and from them
the gradient by its own features follows, its part as a column of the others' rows included. So no
gradient is gathered, and memory holds (own rows, n) instead of (n, n).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from datacomp.training.distributed import Ranks


@dataclass(frozen=True)
class Contrast:
    """The loss of the whole batch (a scalar), and its gradient by this process's features.

    `log_scale` is this process's share of the gradient by log tau: the shares add up.
    """

    loss: Tensor
    images: Tensor
    texts: Tensor
    log_scale: Tensor


def clip_loss(images: Tensor, texts: Tensor, scale: Tensor, ranks: Ranks) -> Contrast:
    """This process's rows (b, d) of features, equally many on each, and tau.

    Without a graph, in float32 at least.
    """
    with torch.no_grad():
        kind = torch.promote_types(images.dtype, torch.float32)
        images, texts, scale = images.to(kind), texts.to(kind), scale.to(kind)
        # Two messages in all, whatever they hold: small ones cost only the wait.
        gathered = ranks.stack(torch.stack((images, texts)))
        all_images, all_texts = gathered.transpose(0, 1).flatten(1, 2)
        n, b = len(all_images), len(images)
        forth, back = scale * images @ all_texts.T, scale * texts @ all_images.T
        own = scale * (images * texts).sum(1)
        told = torch.stack((forth.logsumexp(1), back.logsumexp(1), own))
        lse_images, lse_texts, matched = ranks.stack(told).transpose(0, 1).flatten(1)
        loss = (lse_images + lse_texts - 2 * matched).sum() / (2 * n)
        mine = slice(ranks.rank * b, (ranks.rank + 1) * b)
        share = scale / (2 * n)
        by_images = share * (_shares(forth, lse_images[mine], lse_texts) @ all_texts - 2 * texts)
        by_texts = share * (_shares(back, lse_texts[mine], lse_images) @ all_images - 2 * images)
        return Contrast(loss, by_images, by_texts, (by_images * images).sum())


def _shares(logits: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """softmax over each row, plus softmax over each column, whose logsumexps are given."""
    return (logits - by_row[:, None]).exp() + (logits - by_column[None, :]).exp()
