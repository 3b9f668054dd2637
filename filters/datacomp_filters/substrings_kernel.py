"""The compiled part of substrings.py: a table of words, a trie of their sequences, and the search.

Words are byte strings; two are the same if all their bytes are. Hash tables have a power of two of
slots, at least twice as many as what they hold, -1 where free; probed one slot after another.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datacomp.compiled import compiled

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.int32]
Index = int | np.int64

NONE = -1
SPACE = ord(" ")
ROOT = 0


class Trie(NamedTuple):
    """Entries as paths of words from `ROOT`; all arrays are one value a slot, word or node."""

    text: Bytes
    """All entries, one after another."""
    word_slots: Shorts
    """Slot to word."""
    word_start: Ints
    word_stop: Ints
    """Where a word first stands in `text`."""
    first: Shorts
    """The node below `ROOT` by a word."""
    edge_slots: Shorts
    """Slot to any other node: the one below `parent` by `by`."""
    parent: Shorts
    by: Shorts
    """The word that leads to a node."""
    inner: npt.NDArray[np.bool_]
    """Whether a node has nodes below it."""
    entry: Shorts
    """The entry that ends at a node."""


@compiled
def find_word(
    text: Bytes, start: Index, stop: Index, words: Bytes, slots: Shorts, starts: Ints, stops: Ints
) -> tuple[Index, Index]:
    """The word `text[start:stop]` (`NONE`: not in the table), and its slot or a free one."""
    code = np.uint64(0xCBF29CE484222325)  # FNV-1a
    for i in range(start, stop):
        code = (code ^ np.uint64(text[i])) * np.uint64(0x100000001B3)
    code ^= code >> np.uint64(29)
    mask = len(slots) - 1
    slot = np.int64(code & np.uint64(mask))
    while slots[slot] != NONE:
        word = slots[slot]
        if stops[word] - starts[word] == stop - start:
            place = starts[word]
            same = True
            for i in range(stop - start):
                if words[place + i] != text[start + i]:
                    same = False
                    break
            if same:
                return np.int64(word), slot
        slot = (slot + 1) & mask
    return np.int64(NONE), slot


@compiled
def find_node(
    node: Index, word: Index, slots: Shorts, parent: Shorts, by: Shorts
) -> tuple[Index, Index]:
    """The node below `node` by `word` (`NONE`: there is none), and its slot or a free one."""
    code = (np.uint64(node) << np.uint64(32)) ^ np.uint64(word)
    code = (code ^ (code >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    code ^= code >> np.uint64(29)
    mask = len(slots) - 1
    slot = np.int64(code & np.uint64(mask))
    while slots[slot] != NONE:
        below = slots[slot]
        if parent[below] == node and by[below] == word:
            return np.int64(below), slot
        slot = (slot + 1) & mask
    return np.int64(NONE), slot


@compiled
def insert(
    text: Bytes,
    offsets: Ints,
    word_slots: Shorts,
    starts: Ints,
    stops: Ints,
    first: Shorts,
    edge_slots: Shorts,
    parent: Shorts,
    by: Shorts,
    inner: npt.NDArray[np.bool_],
    entry: Shorts,
) -> None:
    """Fill empty tables with the entries `text[offsets[i]:offsets[i + 1]]`, words between spaces.

    Of equal entries the first counts.
    """
    n_words, n_nodes = 0, 1
    for number in range(len(offsets) - 1):
        node: Index = np.int64(ROOT)
        start = offsets[number]
        for i in range(offsets[number], offsets[number + 1] + 1):
            if i < offsets[number + 1] and text[i] != SPACE:
                continue
            word, slot = find_word(text, start, i, text, word_slots, starts, stops)
            if word == NONE:
                word = n_words
                starts[word], stops[word], word_slots[slot] = start, i, word
                n_words += 1
            if node == ROOT:
                below: Index = np.int64(first[word])
            else:
                below, slot = find_node(node, word, edge_slots, parent, by)
            if below == NONE:
                below = n_nodes
                if node == ROOT:
                    first[word] = below
                else:
                    parent[below], by[below], edge_slots[slot] = node, word, below
                inner[node] = True
                n_nodes += 1
            node = below
            start = i + 1
        if entry[node] == NONE:
            entry[node] = number


@compiled
def split(text: Bytes, start: Index, stop: Index, kind: Bytes, trie: Trie, words: Shorts) -> int:
    """Write the words of `text[start:stop]` to `words` (`NONE`: in no entry); how many there are.

    `kind` of a byte: 1 stands between words, 2 is a word of its own, 0 is part of one.
    """
    n = 0
    for i in range(start, stop + 1):
        what = kind[text[i]] if i < stop else 1
        if what == 0:
            continue
        words[n] = find_word(
            text, start, i, trie.text, trie.word_slots, trie.word_start, trie.word_stop
        )[0]
        n += 1
        start = i + 1
        if what == 2:
            words[n] = find_word(
                text, i, i + 1, trie.text, trie.word_slots, trie.word_start, trie.word_stop
            )[0]
            n += 1
    return n


@compiled
def search(
    text: Bytes,
    offsets: Ints,
    skip: npt.NDArray[np.bool_],
    kind: Bytes,
    trie: Trie,
    seen: Shorts,
    words: Shorts,
    counts: Shorts,
) -> Shorts:
    """The entries in every text, each once, in the order of their first ends; `counts` of each.

    `seen` (one an entry) is all `NONE` at first; `words` has room for the words of any text.
    """
    found = np.empty(4 * len(counts) + 16, np.int32)
    total = 0
    for row in range(len(counts)):
        before = total
        n = 0 if skip[row] else split(text, offsets[row], offsets[row + 1], kind, trie, words)
        for begin in range(n):
            node: Index = np.int64(ROOT)
            for place in range(begin, n):
                word = np.int64(words[place])
                if word == NONE or not trie.inner[node]:
                    break
                if place == begin:
                    node = np.int64(trie.first[word])
                else:
                    node = find_node(node, word, trie.edge_slots, trie.parent, trie.by)[0]
                if node == NONE:
                    break
                entry = trie.entry[node]
                if entry != NONE and seen[entry] != row:
                    seen[entry] = row
                    if total == len(found):
                        longer = np.empty(2 * total, np.int32)
                        longer[:total] = found
                        found = longer
                    found[total] = entry
                    total += 1
        counts[row] = total - before
    return found[:total]
