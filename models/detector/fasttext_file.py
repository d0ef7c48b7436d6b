"""Reading a fastText model (``.bin``, such as ``cc.ko.300.bin``) without loading it: only the rows needed are touched.

The layout is that of fastText's own source, version 0.9.2: ``FastText::saveModel`` (fasttext.cc), ``Args::save``
(args.cc), ``Dictionary::save`` (dictionary.cc) and ``DenseMatrix::save`` (densematrix.cc); all little-endian, without
padding. gensim reads such files too, but only whole: 5 GB of memory for the file named above.

V words asked for, D dimensions.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import WordVectorsFileError
from models.text.ngrams import NgramScheme, flat_ngram_ids

_MAGIC, _VERSIONS, _SUPERVISED = 793_712_314, (11, 12), 3
_SIGNATURE = struct.Struct("<2i")
_ARGUMENTS = struct.Struct("<12id")
"""dim ws epoch minCount neg wordNgrams loss model bucket minn maxn lrUpdateRate t"""
_DICTIONARY = struct.Struct("<3i2q")
"""size nwords nlabels ntokens pruneidx_size"""
_ENTRY = struct.Struct("<qb")
"""count and type, after a word that ends in a zero byte"""
_QUANTISED = struct.Struct("<?")
_MATRIX = struct.Struct("<2q")

_LONGEST_NGRAM = 12
_LARGEST_WIDTH = 4096
_EVERY_NGRAM = 2**31
_WORDS_AT_ONCE = 4096
"""Bounds the memory for the rows of words' n-grams."""


@dataclass(frozen=True)
class FastTextFile:
    """What a fastText file says of itself, and its input matrix, mapped into memory.

    Attributes:
        path: The file.
        scheme: How its words become n-grams: buckets, shortest and longest.
        first_bucket: Row of the first bucket: rows before it are words' own.
        rows: float32, (words + buckets, D), read from the disk where they are looked at.
        frequent_words: The most frequent words of its dictionary, in order.
        own_rows: Row of each word asked for that the dictionary holds.
    """

    path: Path
    scheme: NgramScheme
    first_bucket: int
    rows: NDArray[np.float32]
    frequent_words: tuple[str, ...]
    own_rows: dict[str, int]

    @classmethod
    def open(cls, path: Path, wanted: Collection[str] = (), frequent: int = 0) -> FastTextFile:
        """Read the header and the dictionary, and map the matrix.

        Args:
            path: The ``.bin`` file.
            wanted: Words whose own rows may be asked for.
            frequent: How many of the dictionary's most frequent words to keep.

        Raises:
            WordVectorsFileError: It can't be read, is cut short, is no fastText file of words (another format, a
                supervised or a quantised model), or holds no n-grams.
        """
        with _mapped(path) as content:
            reader = _Reader(path, content)
            dimensions, scheme = _read_header(reader)
            return _read_body(reader, dimensions, scheme, wanted, frequent)

    def word_vectors(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return a vector a word (V, D), and which words have one (V,).

        A word is the mean of its n-grams; its own row is left out, so that known and unknown words are alike. Only a
        word too short for any n-gram of this file is its own row, where the dictionary holds it.

        Raises:
            WordVectorsFileError: A row that is needed is not finite.
        """
        parts = [self._some_vectors(words[at : at + _WORDS_AT_ONCE]) for at in range(0, len(words), _WORDS_AT_ONCE)]
        vectors = np.concatenate([np.zeros((0, self.rows.shape[1]), np.float32), *(part[0] for part in parts)])
        known = np.concatenate([np.zeros(0, bool), *(part[1] for part in parts)])
        if not np.isfinite(vectors).all():
            raise WordVectorsFileError(self.path, "holds numbers that are not finite")
        return vectors, known

    def _some_vectors(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        ids, counts = _ngrams_of(words, self.scheme)
        distinct, places = np.unique(ids, return_inverse=True)
        rows = np.asarray(self.rows[self.first_bucket + distinct])[places]
        vectors = np.zeros((len(words), self.rows.shape[1]), np.float32)
        np.add.at(vectors, np.repeat(np.arange(len(words)), counts), rows)
        vectors /= np.maximum(counts, 1)[:, np.newaxis]
        for place in np.flatnonzero(counts == 0).tolist():
            if (own := self.own_rows.get(words[place])) is not None:
                vectors[place] = self.rows[own]
        known = counts > 0
        known[[place for place, word in enumerate(words) if word in self.own_rows]] = True
        return vectors, known


class _Reader:
    """The bytes of a file, from the front to the back; what isn't there is an error."""

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        self.path, self.content, self.at = path, content, 0

    def take(self, layout: struct.Struct) -> tuple[int, ...]:
        if self.at + layout.size > len(self.content):
            raise WordVectorsFileError(self.path, "is cut short")
        values = layout.unpack_from(self.content, self.at)
        self.at += layout.size
        return values

    def take_word(self) -> bytes:
        end = self.content.find(b"\0", self.at)
        if end < 0:
            raise WordVectorsFileError(self.path, "is cut short")
        word = self.content[self.at : end]
        self.at = end + 1
        return word

    def skip(self, size: int) -> None:
        if size < 0 or self.at + size > len(self.content):
            raise WordVectorsFileError(self.path, "is cut short")
        self.at += size


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content
    except ValueError as error:
        raise WordVectorsFileError(path, "is empty") from error
    except OSError as error:
        raise WordVectorsFileError(path, f"can't be read: {error.strerror}") from error


def _read_header(reader: _Reader) -> tuple[int, NgramScheme]:
    """Return D and the n-gram scheme."""
    magic, version = reader.take(_SIGNATURE)
    if magic != _MAGIC or version not in _VERSIONS:
        raise WordVectorsFileError(reader.path, "is not a fastText model of version 11 or 12")
    dimensions, *_, model, buckets, shortest, longest, _, _ = reader.take(_ARGUMENTS)
    if model >= _SUPERVISED:
        raise WordVectorsFileError(reader.path, "is a supervised model: expected one of word vectors (skipgram, cbow)")
    if longest < 1 or buckets < 1:
        raise WordVectorsFileError(reader.path, "has no character n-grams")
    if not 1 <= dimensions <= _LARGEST_WIDTH or not 1 <= shortest <= longest <= _LONGEST_NGRAM:
        raise WordVectorsFileError(reader.path, "holds sizes that no model of words has")
    return dimensions, NgramScheme(buckets, shortest, longest, most_per_word=_EVERY_NGRAM)


def _read_body(
    reader: _Reader, dimensions: int, scheme: NgramScheme, wanted: Collection[str], frequent: int
) -> FastTextFile:
    size, words, _, _, pruned = reader.take(_DICTIONARY)
    frequent_words, own_rows = _read_dictionary(reader, size, wanted, frequent)
    (quantised,) = reader.take(_QUANTISED)
    if quantised or pruned > 0:
        raise WordVectorsFileError(reader.path, "is quantised: expected the model before it was quantised")
    rows, columns = reader.take(_MATRIX)
    if (rows, columns) != (words + scheme.buckets, dimensions) or not 0 <= words <= size:
        raise WordVectorsFileError(reader.path, "holds a matrix of another size than its header says")
    starts = reader.at
    reader.skip(4 * rows * columns)
    reader.take(_QUANTISED)
    output_rows, output_columns = reader.take(_MATRIX)
    reader.skip(4 * output_rows * output_columns)
    matrix = np.memmap(reader.path, np.float32, "r", starts, (rows, columns))
    return FastTextFile(reader.path, scheme, words, matrix, frequent_words, own_rows)


def _read_dictionary(
    reader: _Reader, size: int, wanted: Collection[str], frequent: int
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the first words, which are the most frequent, and the rows of the words wanted."""
    names = {word.encode(): word for word in wanted}
    first: list[str] = []
    own_rows: dict[str, int] = {}
    for row in range(size):
        word = reader.take_word()
        reader.take(_ENTRY)
        if word in names:
            own_rows[names[word]] = row
        if len(first) < frequent:
            first.append(word.decode(errors="ignore"))
    return tuple(first), own_rows


def _ngrams_of(words: Sequence[str], scheme: NgramScheme) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the buckets (from 0) of all words' n-grams in one row, and how many each word has (V,).

    fastText leaves out ``<`` and ``>`` by themselves (``Dictionary::computeSubwords``).
    """
    flat, counts = flat_ngram_ids(words, scheme)
    buckets = flat.astype(np.int64) - 1
    if scheme.shortest > 1 or not words:
        return buckets, counts
    ends = np.cumsum(counts)
    kept = np.ones(len(buckets), dtype=bool)
    kept[ends - counts] = kept[ends - 1] = False
    return buckets[kept], counts - 2
