"""The CLIP of a recipe, on open_clip's stable surface, and its optimizer by the recipe's rule."""

import math
from typing import TYPE_CHECKING, Any

from datacomp.errors import require
from datacomp.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

# Parameters that are not decayed, by open_clip's rule: vectors, and whatever has this in its name.
NO_DECAY = ("bn", "ln", "bias", "logit_scale")
MAX_LOGIT_SCALE = math.log(100)
ADAMW, STABLE_ADAMW = "adamw", "stable-adamw/1"


def build_model(recipe: Recipe) -> "torch.nn.Module":
    """A CLIP with the recipe's initial weights, float32 on the CPU."""
    torch, open_clip = require("torch", "train"), require("open_clip", "train")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.init_seed)
        return open_clip.CLIP(**recipe.model, output_dict=True)


def build_tokenizer(recipe: Recipe) -> Any:
    """OpenAI's byte-pair tokenizer: list of str to (n, context_length) int64."""
    return require("open_clip", "train").SimpleTokenizer(context_length=recipe.context_length)


def build_optimizer(model: "torch.nn.Module", recipe: Recipe) -> "torch.optim.Optimizer":
    """The recipe's, with decay on matrices only; its learning rate is set at every step."""
    torch = require("torch", "train")
    from datacomp.training.optimizers import StableAdamW

    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    plain = [p for name, p in named if p.ndim < 2 or any(part in name for part in NO_DECAY)]
    decayed = [p for name, p in named if p.ndim >= 2 and not any(part in name for part in NO_DECAY)]
    groups = [
        {"params": plain, "weight_decay": 0.0},
        {"params": decayed, "weight_decay": recipe.weight_decay},
    ]
    constants: dict[str, Any] = {
        "lr": recipe.learning_rate,
        "betas": (recipe.beta1, recipe.beta2),
        "eps": recipe.epsilon,
    }
    if recipe.optimizer == STABLE_ADAMW:
        return StableAdamW(groups, **constants)
    return torch.optim.AdamW(groups, **constants, fused=True)


def learning_rate_at(step: int, recipe: Recipe) -> float:
    """Linear warm-up from `peak / warmup_steps`, then cosine to zero over the remaining steps."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / (recipe.steps - recipe.warmup_steps)
    return 0.5 * recipe.learning_rate * (1 + math.cos(math.pi * done))
