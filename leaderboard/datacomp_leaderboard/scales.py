"""The scales that have a board, in order of compute, with one sentence each."""

SCALES = {
    "smoke": "A few steps on a few samples, to see that every part works.",
    "tiny": "12,000 pictures of emoji; a model in two minutes on one CPU core.",
    "small": "DataComp's small: a pool of 12.8M pairs, 12.8M samples seen, ViT-B/32.",
    "medium": "DataComp's medium: a pool of 128M pairs, 128M samples seen, ViT-B/32.",
    "large": "DataComp's large: a pool of 1.28B pairs, 1.28B samples seen, ViT-B/16.",
    "xlarge": "DataComp's xlarge: a pool of 12.8B pairs, 12.8B samples seen, ViT-L/14.",
}
