"""Text of unknown encoding, as blocks of lines. The encoding is decided at the first byte that tells.

As long as bytes are ASCII every common encoding reads them alike, so a file needs to be read only once.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

BLOCK_BYTES = 1024 * 1024
_EVIDENCE_BYTES = 256 * 1024
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEGACY = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r",
    "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr", "cp874", "mac_roman", "cp850",
]  # fmt: skip
_NON_ASCII = re.compile(rb"[\x80-\xff]")
_BROKEN = re.compile("[\udc80-\udcff]")


def read_blocks(stream: BinaryIO) -> Iterator[str]:
    """Decoded text in blocks that may end anywhere. Bytes that are no text of the encoding come as lone
    surrogates (``surrogateescape``), for the line they stand on to be refused.
    """
    first = stream.read(BLOCK_BYTES)
    encoding = _find_wide(first) or ""
    decoder = codecs.getincrementaldecoder(encoding or "ascii")("surrogateescape" if encoding else "strict")
    block = first
    while block:
        if not encoding and _NON_ASCII.search(block):
            encoding = find_encoding(block)
            decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        yield decoder.decode(block)
        block = stream.read(BLOCK_BYTES)
    yield decoder.decode(b"", final=True)


def find_encoding(sample: bytes) -> str:
    """The encoding of a sample with non-ASCII bytes: UTF-8 unless more speaks against it than for it."""
    # The last character of a block may be cut in half: no evidence.
    text = sample[:-4].decode("utf-8", "surrogateescape") if len(sample) > 64 else _trim(sample)
    broken = len(_BROKEN.findall(text))
    if broken == 0 or len(re.findall(r"[^\x00-\x7f\udc80-\udcff]", text)) > broken:
        return "utf-8"
    return _find_legacy(sample)


def has_broken_text(text: str) -> bool:
    """Whether bytes in ``text`` could not be decoded."""
    return not text.isascii() and _BROKEN.search(text) is not None


def show_broken(text: str) -> str:
    r"""Undecodable bytes as ``\xNN``, so that the text can be stored."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _trim(sample: bytes) -> str:
    return sample.decode("utf-8", "surrogateescape")


def _find_wide(first: bytes) -> str | None:
    """UTF by its byte-order mark, or UTF-16 by the zeros between Latin letters."""
    for mark, encoding in _BOMS:
        if first.startswith(mark):
            return encoding
    sample = first[:4096]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    most = len(sample) // 2 * 0.4
    if odd > most and even < odd / 10:
        return "utf-16-le"
    return "utf-16-be" if even > most and odd < even / 10 else None


def _find_legacy(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    lines = [line for line in sample.split(b"\n") if _NON_ASCII.search(line)]
    evidence = b"\n".join(lines)[:_EVIDENCE_BYTES]
    matches = from_bytes(evidence, cp_isolation=_LEGACY)
    best = matches.best()
    if best is None:
        return "cp1252"
    # Short Western texts fit several code pages equally: the commonest is the likeliest.
    western = next((match for match in matches if match.encoding == "cp1252"), None)
    alike = western is not None and western.chaos <= best.chaos and str(western) == str(best)
    single = best.encoding in ("cp1250", "cp1254", "cp1257", "mac_roman", "cp850")
    if western is not None and (alike or (single and western.chaos <= best.chaos + 0.02)):
        return "cp1252"
    return best.encoding
