"""F3xx: own data is a Parquet file of addresses and captions.

F301 not Parquet              F302 footer too large        F303 not exactly url and caption, strings
F304 no rows, or too many     F305 promises too much       F306 a value that is none
F307 cannot be read within memory and time, or crashes its reader
F308 other data than what was trained on, or is to be

The file is read in a process of its own with bounded memory and time: a page may promise more than
there is, and a reader written in C++ may fail in worse ways than by an exception.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacomp.reports import Finding
from datacomp.submission.checked import BadFileError, Checked, refused, shown

if TYPE_CHECKING:
    from datacomp.pool.pairs import PairsId

MAX_FOOTER_BYTES = 4 * 2**20
MAX_ROWS = 200_000_000
MAX_ROW_GROUPS = 10_000
# Reading takes memory by the row group: 0.6 GiB for the 2**20 rows that writers choose.
MAX_GROUP_ROWS = 2**21
MAX_UNCOMPRESSED_BYTES = 64 * 2**30
MAX_URL_BYTES = 4096
MAX_CAPTION_BYTES = 64 * 1024
MAX_DICTIONARY_BYTES = 64 * 2**20
MEMORY_BYTES = 3 * 2**30
CPU_SECONDS = 3600
_ROWS_AT_ONCE = 4096
_BUFFER_BYTES = 2**20
_URL = r"^https?://[^\s/?#\x00-\x1f\x7f]+[^\s\x00-\x1f\x7f]*$"
_COLUMNS = ("url", "caption")
TARS = "sources-"
"""How the id begins of what a run read as tars in sequence, see docs/training.md."""
# What the reading process gets of the environment: nothing that could be a secret.
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}


def check_byod(path: Path) -> Checked:
    """Check own data in a process of its own; facts `{rows, pool_id}`."""
    try:
        _demand_footer(path)
    except BadFileError as error:
        return refused([error.finding])
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    command = [sys.executable, "-m", __name__, str(path)]
    try:
        done = subprocess.run(
            command,
            env=environment | _ONE_THREAD,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=2 * CPU_SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except subprocess.TimeoutExpired:
        answer = None
    if answer is None:
        return refused([_unreadable()])
    if "rows" in answer:
        return Checked(facts=answer)
    return refused([Finding(answer["code"], None, answer["message"])])


def check_pool(facts: Mapping[str, Any], pool_id: str) -> list[Finding]:
    """Whether own data with these facts are the pool that a run or a manifest names.

    A run that read tars in sequence names the tars, from which nobody can tell the pairs.
    """
    if pool_id == facts["pool_id"] or pool_id.startswith(TARS):
        return []
    told = f"its {facts['rows']:,} pairs are pool {facts['pool_id'][:12]}, not {pool_id[:12]}"
    return [
        Finding(
            "F308",
            None,
            f"{told}: train on the pool that datacomp pool download --byod makes of it",
        )
    ]


def _unreadable() -> Finding:
    memory = f"{MEMORY_BYTES >> 30} GiB of memory and {CPU_SECONDS:,} s"
    return Finding("F307", None, f"the file cannot be read within {memory}, or breaks its reader")


def _demand_footer(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(max(size - 8, 0))
        end = file.read(8)
    if size < 12 or start != b"PAR1" or end[4:] != b"PAR1":
        raise BadFileError("F301", "the file is not Parquet: it lacks PAR1 at its start or end")
    n_footer = int.from_bytes(end[:4], "little")
    if n_footer > size - 12:
        raise BadFileError("F301", f"its footer has {n_footer:,} bytes, the file {size:,}")
    if n_footer > MAX_FOOTER_BYTES:
        limit = f"at most {MAX_FOOTER_BYTES:,} are read: write larger row groups"
        raise BadFileError("F302", f"its footer has {n_footer:,} bytes, {limit}")


def read_pairs(path: Path) -> "PairsId":
    """Read every value of own data, flat in memory. `BadFileError` if one is not right.

    Only for a process that bounds itself.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from datacomp.pool.pairs import PairsId

    limits = {
        "thrift_string_size_limit": MAX_FOOTER_BYTES,
        "thrift_container_size_limit": MAX_FOOTER_BYTES,
    }
    try:
        with pq.ParquetFile(path, **limits) as file:
            metadata = file.metadata
        _demand_columns(metadata)
        _demand_sizes(metadata)
        pairs = PairsId()
        # As dictionaries: a text that stands in many rows is held once.
        with pq.ParquetFile(
            path,
            metadata=metadata,
            read_dictionary=list(_COLUMNS),
            buffer_size=_BUFFER_BYTES,
            **limits,
        ) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(_COLUMNS)):
                _demand_values(batch, pairs.rows)
                pairs.add(*(_texts(batch.column(name)) for name in _COLUMNS))
    except MemoryError:
        raise BadFileError("F307", _unreadable().message) from None
    except (pa.ArrowException, OSError) as error:
        raise BadFileError("F301", f"the file is not Parquet: {shown(str(error), 200)}") from None
    if pairs.rows != metadata.num_rows:
        held = f"its footer says {metadata.num_rows:,} rows, {pairs.rows:,} are there"
        raise BadFileError("F301", held)
    return pairs


def _texts(column: Any) -> list[str]:
    """The values; of a few texts that stand in many rows each once in memory."""
    if len(column.dictionary) > len(column):  # of a whole row group
        texts: list[str] = column.dictionary_decode().to_pylist()
        return texts
    values = column.dictionary.to_pylist()
    return [values[index] for index in column.indices.to_numpy()]


def _demand_columns(metadata: Any) -> None:
    columns = [metadata.schema.column(i) for i in range(min(metadata.num_columns, 20))]
    found = [
        f"{shown(column.path, 40)}: {column.physical_type} {column.logical_type.type}"
        for column in columns
    ]
    right = [f"{shown(name)}: BYTE_ARRAY STRING" for name in _COLUMNS]
    flat = all(c.max_repetition_level == 0 and c.max_definition_level <= 1 for c in columns)
    if sorted(found) != sorted(right) or not flat:
        expected = "expected exactly url and caption, both strings"
        raise BadFileError("F303", f"its columns are {', '.join(found) or 'none'}; {expected}")


def _demand_sizes(metadata: Any) -> None:
    if not 0 < metadata.num_rows <= MAX_ROWS:
        raise BadFileError("F304", f"{metadata.num_rows:,} rows, allowed are 1 to {MAX_ROWS:,}")
    if not 0 < metadata.num_row_groups <= MAX_ROW_GROUPS:
        found = f"{metadata.num_row_groups:,} row groups, 1 to {MAX_ROW_GROUPS:,} are read"
        raise BadFileError("F305", found)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    if max(group.num_rows for group in groups) > MAX_GROUP_ROWS:
        raise BadFileError("F305", f"a row group has more than {MAX_GROUP_ROWS:,} rows")
    sizes = [group.total_byte_size for group in groups]
    if min(sizes) < 0 or sum(sizes) > MAX_UNCOMPRESSED_BYTES:
        limit = f"at most {MAX_UNCOMPRESSED_BYTES:,} are read"
        raise BadFileError("F305", f"uncompressed it has {sum(sizes):,} bytes, {limit}")


def _demand_values(batch: Any, first_row: int) -> None:
    rows = f"rows {first_row:,} to {first_row + batch.num_rows - 1:,}"
    for name, longest in zip(_COLUMNS, (MAX_URL_BYTES, MAX_CAPTION_BYTES), strict=True):
        _demand_strings(name, batch.column(name), longest, rows)
    _demand_urls(batch.column("url").dictionary_decode(), rows)  # short ones, as is known by now


def _demand_strings(name: str, column: Any, longest: int, rows: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        raise BadFileError("F303", f"{name} is written as {column.type}, expected string")
    values = column.dictionary
    if values.nbytes > MAX_DICTIONARY_BYTES:
        limit = f"at most {MAX_DICTIONARY_BYTES:,} are read"
        raise BadFileError("F305", f"{name} has {values.nbytes:,} bytes in {rows}, {limit}")
    try:
        column.validate(full=True)
        values.validate(full=True)  # among others, that it is UTF-8
    except pa.ArrowInvalid as error:
        raise BadFileError("F306", f"{name} in {rows}: {shown(str(error), 200)}") from None
    if column.null_count or values.null_count:
        raise BadFileError("F306", f"{name} is null somewhere in {rows}")
    most = pc.max(pc.binary_length(values)).as_py() or 0
    if most > longest:
        found = f"a {name} in {rows} has {most:,} bytes, at most {longest:,} are read"
        raise BadFileError("F306", found)


def _demand_urls(values: Any, rows: str) -> None:
    import pyarrow.compute as pc

    bad = values.filter(pc.invert(pc.match_substring_regex(values, _URL)))
    if len(bad):
        found = f"a url in {rows} is {shown(bad[0].as_py())}, expected http(s)://HOST/..."
        raise BadFileError("F306", found)


def main(path: Path) -> None:
    """In a process of its own: bound it, read the file, print what was found as JSON."""
    import resource

    for limit, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_SECONDS)):
        resource.setrlimit(limit, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        pairs = read_pairs(path)
        answer: dict[str, Any] = {"rows": pairs.rows, "pool_id": pairs.pool_id}
    except BadFileError as error:
        answer = {"code": error.finding.code, "message": error.finding.message}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
