"""Contact sheets: which samples, with what captions and scores; and that they are drawn."""

import numpy as np
import pytest
from PIL import Image

from datacomp.errors import PoolError, UsageError
from datacomp.pool import index_pool, open_pool
from datacomp.pool.contact import Card, cards, choose_uids, contact_sheet, write_png
from datacomp.pool.lookup import find_rows
from datacomp.subset.uids import format_uids, parse_uids


@pytest.fixture
def pool(make_pool):
    folder = make_pool()
    index_pool(str(folder))
    return open_pool(str(folder))


def card(caption="a caption", **options):
    return Card(Image.new("RGB", (72, 40), "red"), caption, "L/14 0.28", **options)


def test_rows_come_in_the_order_asked_for_and_repeat(make_pool):
    folder = make_pool()
    pool = open_pool(str(folder))
    wanted = [folder.uid(row) for row in (17, 3, 17, 11)]
    table = find_rows(pool, parse_uids(wanted), ["text", "uid", "aesthetic"])
    assert table["uid"].to_pylist() == wanted
    assert table["text"].to_pylist() == [f"caption of row {row}" for row in (17, 3, 17, 11)]
    assert table["aesthetic"].null_count == 4


def test_a_uid_that_no_row_has_is_named(pool):
    with pytest.raises(PoolError, match=f"no row with the uid {'f' * 32}"):
        find_rows(pool, parse_uids(["f" * 32]), ["text"])


def test_a_choice_is_fixed_by_its_seed_and_has_no_repeats(pool):
    first = format_uids(choose_uids(pool, n=8, seed=1))
    assert first == format_uids(choose_uids(pool, n=8, seed=1))
    assert first != format_uids(choose_uids(pool, n=8, seed=2))
    assert len(set(first)) == 8
    assert len(choose_uids(pool, n=500)) == 20


def test_a_choice_stays_within_a_subset(pool):
    among = parse_uids([uid for uid in format_uids(pool.uids(pool.parts[0]))[:3]] * 2)
    assert set(format_uids(choose_uids(pool, among=among))) == set(format_uids(among))
    with pytest.raises(UsageError, match="no picture of this choice"):
        choose_uids(pool, among=parse_uids(["0" * 32]))


def test_a_choice_by_truth_has_that_kind_only(tiny_pool):
    pool = open_pool(str(tiny_pool))
    shown = cards(pool, choose_uids(pool, truth_kind="junk", n=10))
    assert [card.mark for card in shown] == ["junk"] * 10
    with pytest.raises(UsageError, match="no row is of the kind 'jonk'; kinds: bad_geometry"):
        choose_uids(pool, truth_kind="jonk")


def test_a_card_has_caption_and_both_scores(pool):
    (only,) = cards(pool, pool.uids(pool.parts[0])[2:3])
    assert only.caption.startswith("caption of row")
    row = int(only.caption.split()[-1])
    assert only.note == f"L/14 {0.2 + row / 1000:.2f}  B/32 {0.1 + row / 1000:.2f}"
    assert only.picture.size == (16, 12)


def test_a_corrupt_picture_has_its_card(make_pool):
    folder = make_pool()
    members = folder.members(0)
    members["000000000.jpg"] = b"nonsense"
    folder.write_shard(0, members)
    index_pool(str(folder))
    pool = open_pool(str(folder))
    shown = cards(pool, parse_uids([folder.uid(0), folder.uid(1)]))
    assert [card.picture is None for card in shown] == [True, False]
    contact_sheet(shown, title="t", about="a")


def test_the_sheet_grows_with_its_cards():
    def size(n, columns):
        return contact_sheet([card()] * n, title="Title", about="about", columns=columns).size

    width, height = size(6, 3)
    assert size(4, 3) == (width, height)
    assert size(3, 3) == (width, size(1, 1)[1])
    assert size(2, 6)[0] == size(2, 2)[0] < width
    assert size(7, 3)[1] - height == height - size(3, 3)[1] > 176


def test_captions_never_leave_their_card():
    words = "a very long caption " * 30
    endless = "x" * 400
    shown = [card(words), card(endless), card(None), card(" ")]
    sheet = contact_sheet(shown, title=words, about=words)
    pixels = np.asarray(sheet)
    paper = pixels[-1, -1]
    assert (pixels[:, :28] == paper).all()
    assert (pixels[:, -28:] == paper).all()
    assert (pixels[-28:] == paper).all()


def test_every_script_is_drawn():
    plain = contact_sheet([card("")], title="t", about="a")
    for caption in ("Straßenschäden", "картинка", "صورة", "😀", "絵文字"):
        assert contact_sheet([card(caption)], title="t", about="a") != plain


def test_a_written_sheet_is_a_png(tmp_path):
    write_png(contact_sheet([card()], title="t", about="a"), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.format == "PNG"
