"""The scoring models: shapes, starts, and what inputs do to them."""

import torch

from datacomp_filters.flyt.heads import GluHead, LinearMixer


def test_the_head_has_the_papers_size_for_vit_b_32():
    parameters = GluHead(512, 512).parameters()
    assert sum(value.numel() for value in parameters.values()) == 2_100_225


def test_the_head_is_a_gated_linear_unit_of_normalised_embeddings():
    head = GluHead(3, 2)
    p = head.parameters()
    image, text = torch.tensor([[3.0, 0, 4]]), torch.tensor([[0.0, -2]])
    x = torch.tensor([0.6, 0, 0.8, 0, -1])
    gate, value = (p[f"{n}.weight"] @ x + p[f"{n}.bias"] for n in ("gate", "value"))
    expected = p["out.weight"] @ (gate * torch.sigmoid(gate) * value) + p["out.bias"]
    torch.testing.assert_close(head.scores(p, torch.cat([image, text], 1)), expected)


def test_the_head_reads_half_precision_and_any_length_of_embedding():
    head, rows = GluHead(4, 4), torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    p = head.parameters()
    torch.testing.assert_close(head.scores(p, rows * 7), head.scores(p, rows))
    assert head.scores(p, rows.half()).dtype == torch.float32


def test_heads_of_one_seed_start_alike():
    one, same, other = (GluHead(4, 4, seed=seed).parameters() for seed in (1, 1, 2))
    assert torch.equal(one["gate.weight"], same["gate.weight"])
    assert not torch.equal(one["gate.weight"], other["gate.weight"])
    assert one["gate.weight"].abs().max() <= 8**-0.5


def test_the_mixer_starts_at_zero_and_standardises():
    mixer = LinearMixer(torch.tensor([1.0, 10, 5]), torch.tensor([2.0, 5, 0]))
    p = mixer.parameters()
    assert not any(value.any() for value in p.values())
    rows = torch.tensor([[3.0, 0, 5], [float("nan"), 1e9, 7], [-float("inf"), 10, 5]])
    expected = torch.tensor([[1.0, -2, 0], [0, 6, 0], [-6, 0, 0]])
    torch.testing.assert_close(mixer.standardise(rows), expected)
    p["weight"] += torch.tensor([[1.0, 10, 100]])
    torch.testing.assert_close(mixer.scores(p, rows), torch.tensor([-19.0, 60, -6]))
