"""Contact sheets: pictures of a pool with their captions and scores, on one PNG."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from datacomp.errors import PoolError, UsageError
from datacomp.files import write_bytes
from datacomp.pool.lookup import find_rows
from datacomp.pool.pool import Pool
from datacomp.pool.schema import SCORE_COLUMNS
from datacomp.subset.uids import UidArray, format_uids, parse_uids

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PICTURE, PAD, GAP, MARGIN, HEAD = 176, 12, 14, 28, 74
CELL_WIDTH = PICTURE + 2 * PAD
CAPTION_LINES, CAPTION_HEIGHT, NOTE_HEIGHT = 3, 19, 17
PAPER, CARD, EDGE, INK, FAINT, ACCENT = (
    "#f4f3ef",
    "#ffffff",
    "#dedbd2",
    "#1f2328",
    "#6b7078",
    "#9a3412",
)
# Pillow's own font knows ASCII only; these know more, where the system has one of them.
_WIDER_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "NanumGothic.ttf",
    "malgun.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "msyh.ttc",
)


@dataclass(frozen=True)
class Card:
    """One picture of a sheet; `note` is a short line under the caption, `mark` one under that."""

    picture: Image.Image | None
    caption: str | None
    note: str
    mark: str = ""


def choose_uids(
    pool: Pool,
    *,
    among: UidArray | None = None,
    truth_kind: str | None = None,
    n: int = 24,
    seed: int = 0,
) -> UidArray:
    """At most `n` uids that have a picture, drawn by `seed`, from `among` or of one planted kind.

    `UsageError` if there are none.
    """
    if truth_kind is not None:
        truth = pool.truth()
        kinds = truth["truth_kind"].to_numpy(zero_copy_only=False)
        if not (kinds == truth_kind).any():
            known = ", ".join(sorted(set(kinds.tolist())))
            raise UsageError(f"no row is of the kind {truth_kind!r}; kinds: {known}")
        among = parse_uids(truth["uid"].filter(kinds == truth_kind))
    samples = pool.samples()
    if among is None:
        positions = np.arange(len(samples))
    else:
        positions = np.unique(samples.locate(among))
        positions = positions[positions >= 0]
    if not len(positions):
        raise UsageError(f"no picture of this choice is in the shards of {pool.url}")
    chosen = np.random.default_rng(seed).permutation(positions)[:n]
    uids: UidArray = samples.uids[chosen]
    return uids


def cards(pool: Pool, uids: UidArray) -> list[Card]:
    """Pictures, captions, scores and, where the pool has it, the truth of these uids."""
    samples = pool.samples()
    positions = samples.locate(uids)
    if (positions < 0).any():
        uid = format_uids(uids[positions < 0][:1])[0]
        raise PoolError(f"uid {uid} has no sample in the shards of {pool.url}")
    rows = find_rows(pool, uids, ["text", *SCORE_COLUMNS]).to_pylist()
    kinds = _truth_of(pool, uids)
    result = []
    for position, row, kind in zip(positions.tolist(), rows, kinds, strict=True):
        scores = [
            f"{name} {row[column]:.2f}"
            for name, column in (("L/14", SCORE_COLUMNS[1]), ("B/32", SCORE_COLUMNS[0]))
            if row[column] is not None
        ]
        sample = samples.read(position)
        try:
            picture: Image.Image | None = sample.decode()
        except PoolError:
            # A sheet is for looking, so that a corrupt picture is shown as one.
            picture = None
        note = "  ".join(scores) or sample.shard
        result.append(Card(picture, row["text"], note, kind.replace("_", " ")))
    return result


def contact_sheet(
    shown: Sequence[Card], *, title: str, about: str, columns: int = 6
) -> Image.Image:
    """Lay cards out in rows of `columns`, under a title line and a line of small print."""
    columns = max(1, min(columns, len(shown)))
    n_rows = -(-len(shown) // columns)
    notes = 2 if any(card.mark for card in shown) else 1
    cell_height = PICTURE + 3 * PAD + CAPTION_LINES * CAPTION_HEIGHT + notes * NOTE_HEIGHT
    width = 2 * MARGIN + columns * (CELL_WIDTH + GAP) - GAP
    height = MARGIN + HEAD + n_rows * (cell_height + GAP) - GAP + MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    room = width - 2 * MARGIN
    pen.text((MARGIN, MARGIN - 6), _cut(title, 28, room), INK, _font_for(title, 28))
    pen.text((MARGIN, MARGIN + 34), _cut(about, 15, room), FAINT, _font_for(about, 15))
    for number, card in enumerate(shown):
        row, column = divmod(number, columns)
        x = MARGIN + column * (CELL_WIDTH + GAP)
        y = MARGIN + HEAD + row * (cell_height + GAP)
        _draw_card(sheet, pen, card, (x, y, x + CELL_WIDTH - 1, y + cell_height - 1))
    return sheet


def write_png(sheet: Image.Image, path: Path) -> None:
    """Write a sheet, atomically."""
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())


def _draw_card(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, card: Card, box: tuple[int, int, int, int]
) -> None:
    x, y, _, bottom = box
    pen.rounded_rectangle(box, 10, CARD, EDGE)
    if card.picture is None:
        pen.text(
            (x + CELL_WIDTH / 2, y + PAD + PICTURE / 2),
            "corrupt picture",
            ACCENT,
            _font_for("", 15),
            anchor="mm",
        )
    else:
        picture = _fitted(card.picture)
        left = x + (CELL_WIDTH - picture.width) // 2
        top = y + PAD + (PICTURE - picture.height) // 2
        sheet.paste(picture, (left, top))
        frame = (left - 1, top - 1, left + picture.width, top + picture.height)
        pen.rectangle(frame, outline="#eeece6")
    top = y + PICTURE + 2 * PAD
    caption = "(no caption)" if card.caption is None else card.caption.strip() or "(blank)"
    font = _font_for(caption, 15)
    for line in _wrap(caption, font, PICTURE, CAPTION_LINES):
        pen.text((x + PAD, top), line, INK, font)
        top += CAPTION_HEIGHT
    notes = [(card.note, FAINT)] + ([(card.mark, ACCENT)] if card.mark else [])
    top = bottom - PAD - len(notes) * NOTE_HEIGHT + 4
    for text, colour in notes:
        pen.text((x + PAD, top), text, colour, _font_for(text, 13))
        top += NOTE_HEIGHT


def _fitted(picture: Image.Image) -> Image.Image:
    scale = PICTURE / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    return picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def _wrap(text: str, font: Font, width: int, n_lines: int) -> list[str]:
    """Break at spaces, or inside a word that is wider than a line; the last line ends in dots."""
    lines = [""]
    for word in " ".join(text.split()).replace(" ", " \0").split("\0"):
        if lines[-1] and font.getlength((lines[-1] + word).rstrip()) > width:
            lines.append("")
        for letter in word:
            if font.getlength((lines[-1] + letter).rstrip()) > width:
                lines.append("")
            lines[-1] += letter
        if len(lines) > n_lines:
            break
    if len(lines) > n_lines:
        last = lines[n_lines - 1].rstrip()
        while last and font.getlength(last + "...") > width:
            last = last[:-1]
        lines = [*lines[: n_lines - 1], last + "..."]
    return [line.rstrip() for line in lines]


def _cut(text: str, size: int, width: int) -> str:
    return _wrap(text, _font_for(text, size), width, 1)[0]


def _font_for(text: str, size: int) -> Font:
    """The first font that knows all of the text, else the one that knows most of it."""
    fonts = _fonts(size)
    unknown = [sum(_lacks(font, letter) for letter in set(text)) for font in fonts]
    return fonts[unknown.index(min(unknown))]


@cache
def _fonts(size: int) -> tuple[Font, ...]:
    fonts: list[Font] = [ImageFont.load_default(size)]
    for name in _WIDER_FONTS:
        try:
            fonts.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return tuple(fonts)


@cache
def _lacks(font: Font, letter: str) -> bool:
    return not letter.isspace() and bytes(font.getmask(letter)) == bytes(font.getmask("\U0010fffe"))


def _truth_of(pool: Pool, uids: UidArray) -> list[str]:
    if not pool.has_truth:
        return [""] * len(uids)
    truth = pool.truth()
    kind_of = dict(zip(truth["uid"].to_pylist(), truth["truth_kind"].to_pylist(), strict=True))
    return [kind_of[uid] for uid in format_uids(uids)]
