"""Arrow arrays to arrays of JSON text, a column at a time: no Python object a value on the usual paths. Pure.

Takes an array of any type that a tap emits; gives a string array of the same length without nulls, each a JSON value.
Refuses types that JSON has no exact text for.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

_SHORT_ESCAPES = {b"\\": "\\\\", b'"': '\\"', b"\n": "\\n", b"\r": "\\r", b"\t": "\\t", b"\b": "\\b", b"\f": "\\f"}
_RARE_CONTROLS = [bytes([code]) for code in range(0x20) if bytes([code]) not in _SHORT_ESCAPES]
_RARE = r"[\x00-\x07\x0b\x0e-\x1f]"
_NOT_NUMBERS = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"', "-0": "-0.0"}


def json_text(array: pa.Array) -> pa.Array:
    """Return one JSON value an element; NULL is `null`."""
    for is_type, render in _RENDERERS:
        if is_type(array.type):
            text = render(array)
            return pc.fill_null(text, "null") if text.null_count else text
    raise TypeError(f"no JSON text is defined for Arrow type {array.type}")


def object_text(names: list[str], columns: list[pa.Array], head: str = "", tail: str = "") -> pa.Array:
    """Return one JSON object a row, between two constant texts; an object without columns needs no array."""
    pieces: list[pa.Array | str] = []
    lead = head + "{"
    for name, column in zip(names, columns, strict=True):
        lead += json.dumps(name, ensure_ascii=False) + ":"
        if _is_string(column.type) and column.null_count == 0:
            pieces += [lead + '"', _escaped(column)]
            lead = '",'
        else:
            pieces += [lead, json_text(column)]
            lead = ","
    pieces.append(lead.removesuffix(",") + "}" + tail)
    return pc.binary_join_element_wise(*pieces, "")


def _booleans(array: pa.Array) -> pa.Array:
    return pc.if_else(array, "true", "false")


def _integers(array: pa.Array) -> pa.Array:
    return pc.cast(array, pa.string())


def _floats(array: pa.Array) -> pa.Array:
    """Shortest text that reads back to the same double; what JSON cannot say as a number becomes a word in quotes."""
    array = pc.cast(array, pa.float64())
    text = pc.cast(array, pa.string())
    if not pc.all(pc.is_finite(array), min_count=0).as_py() or pc.any(pc.equal(array, 0)).as_py():
        odd = pc.fill_null(pc.is_in(text, pa.array([*_NOT_NUMBERS])), False)  # noqa: FBT003  # pyarrow's signature
        text = pc.replace_with_mask(
            text, odd, pa.array([_NOT_NUMBERS[v] for v in text.filter(odd).to_pylist()], pa.string())
        )
    return text


def _decimals(array: pa.Array) -> pa.Array:
    """Plain digits: Arrow itself writes 0.0000001 as 1E-7."""
    text = pc.cast(array, pa.string())
    powers = pc.match_substring(text, "E")
    if pc.any(powers).as_py():
        plain = [format(value, "f") for value in array.filter(powers).to_pylist()]
        text = pc.replace_with_mask(text, powers, pa.array(plain, pa.string()))
    return text


def _strings(array: pa.Array) -> pa.Array:
    return _quoted(_escaped(array))


def _escaped(array: pa.Array) -> pa.Array:
    """Escape what JSON asks for. What is there is looked up in all bytes at once: most columns need one scan."""
    array = pc.cast(array, pa.string())
    data = _bytes_of(array)
    controls = (
        bool(data) and pc.min(pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])).as_py() < 0x20
    )
    found = [sign for sign in _SHORT_ESCAPES if (controls or sign in {b"\\", b'"'}) and data.find(sign) >= 0]
    if controls and any(data.find(sign) >= 0 for sign in _RARE_CONTROLS):
        rare = pc.match_substring_regex(array, _RARE)
        exact = [json.dumps(value, ensure_ascii=False)[1:-1] for value in array.filter(rare).to_pylist()]
        return pc.replace_with_mask(_replaced(array, found), rare, pa.array(exact, pa.string()))
    return _replaced(array, found)


def _replaced(array: pa.Array, found: list[bytes]) -> pa.Array:
    for sign in found:  # the backslash is the first: the others add some
        array = pc.replace_substring(array, sign.decode(), _SHORT_ESCAPES[sign])
    return array


def _bytes_of(array: pa.StringArray) -> bytes:
    """Return the text of all values, one after the other."""
    _, offsets, data = array.buffers()
    if data is None or not len(array):
        return b""
    ends = memoryview(offsets).cast("i")
    start, end = ends[array.offset], ends[array.offset + len(array)]
    return bytes(data.slice(start, end - start))


def _binaries(array: pa.Array) -> pa.Array:
    texts = [None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()]
    return _quoted(pa.array(texts, pa.string()))


def _temporals(array: pa.Array) -> pa.Array:
    return _quoted(pc.cast(array, pa.string()))


def _timestamps(array: pa.Array) -> pa.Array:
    """ISO 8601 with all microseconds; `Z` where the type has a zone, no offset where it has none."""
    local = pa.timestamp(array.type.unit)  # a zone costs a look-up a row; what is stored is UTC anyway
    text = pc.binary_replace_slice(pc.cast(array.view(local), pa.string()), 10, 11, "T")
    return pc.binary_join_element_wise('"', text, '"' if array.type.tz is None else 'Z"', "")


def _lists(array: pa.Array) -> pa.Array:
    array = pc.cast(array, pa.list_(array.type.value_type))
    values = json_text(array.values)
    mask = array.is_null() if array.null_count else None
    texts = pa.ListArray.from_arrays(_own_offsets(array), values, mask=mask)
    return pc.binary_join_element_wise("[", pc.binary_join(texts, ","), "]", "")


def _own_offsets(array: pa.ListArray) -> pa.Array:
    """Offsets without a slice's own start: `from_arrays` refuses a mask beside those."""
    return pa.concat_arrays([array.offsets])


def _structs(array: pa.Array) -> pa.Array:
    names = [array.type.field(i).name for i in range(array.type.num_fields)]
    if not names:
        return pc.if_else(array.is_valid(), "{}", None)
    text = object_text(names, array.flatten())
    return pc.if_else(array.is_valid(), text, None) if array.null_count else text


def _nulls(array: pa.Array) -> pa.Array:
    return pa.nulls(len(array), pa.string())


def _decoded(array: pa.Array) -> pa.Array:
    return json_text(array.dictionary_decode())


def _quoted(text: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', text, '"', "")


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_day_or_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_time(kind))


_RENDERERS: list[tuple[Callable[[Any], bool], Callable[[pa.Array], pa.Array]]] = [
    (_is_string, _strings),
    (pa.types.is_integer, _integers),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_floating, _floats),
    (pa.types.is_boolean, _booleans),
    (_is_day_or_time, _temporals),
    (_is_list, _lists),
    (pa.types.is_struct, _structs),
    (_is_binary, _binaries),
    (pa.types.is_dictionary, _decoded),
    (pa.types.is_null, _nulls),
]
