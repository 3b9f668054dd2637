"""Charts: from plain rows to a picture with its table, in light and dark, interactive or not.

Each function takes rows and gives a `Chart`, or None where there is too little for a picture:

    averages.share(rows: Sequence[Kept], *, chance=None, n_tasks=0)
    differences.differences(rows: Sequence[Difference], *, reference, name="fingerprint", title=…)
    portraits.density(binned: Binned)             what was kept beside the pool, one feature
    portraits.languages(rows: (code, n in pool, n kept))
    portraits.repeats(rows: (words, n different samples))
    portraits.overlap(rows: (name, share of this in that, share of that in this))
    scaling.lines(methods: Sequence[Line], scales, *, name="lines", n_tasks=0)
    tasks.separation(rows: Sequence[Told], *, name="separation")
    runs.curve(samples, values, *, name="loss", title="Training loss.", unit="nats")

A page shows `Figure(chart, address, query, drawn=available())` by the macro `figure`; the address
is PAGE/NAME, under which the chart has the forms `FORMS` and its table's `csv`, `json`, `parquet`.
`draw` makes them: never on the way to the page itself, which only reserves the picture's place.
"""

from datacomp_leaderboard.charting.chart import Chart, Drawing, Figure, Frame
from datacomp_leaderboard.charting.drawing import FORMS, available, draw

__all__ = ["FORMS", "Chart", "Drawing", "Figure", "Frame", "available", "draw"]
