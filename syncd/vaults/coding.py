"""How a pack becomes bytes on a disk: as it is, compressed, encrypted, or both.

The file's name tells: ``.zst`` for zstd, ``.age`` for age, in that order. So what
was written with other options can still be read.
"""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, BinaryIO, Protocol, cast

import pyrage

from syncd.errors import StorageError
from syncd.vaults.keys import Keys

CHUNK = 1 << 18
ZSTD = ".zst"
AGE = ".age"
_PATIENCE = 10.0
"""Seconds to wait for the library to let go of what is not read to its end."""

_LEVEL = 3


def spellings(name: str) -> tuple[bytes, ...]:
    """Return what one of our own files may be called, however it is encoded."""
    ends = ("", ZSTD, AGE, ZSTD + AGE)
    return tuple(f"{name}{end}".encode() for end in ends)


class Readable(Protocol):
    """What can be read piece by piece."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most so many bytes; nothing at the end."""
        ...


class Writable(Protocol):
    """What can be written piece by piece."""

    def write(self, content: bytes, /) -> int:
        """Take all of it, and return how much that is."""
        ...

    def flush(self) -> None:
        """Pass on what is kept back."""
        ...


class Coder:
    """Encodes with one set of options; decodes whatever the name says."""

    def __init__(self, *, compress: bool = False, keys: Keys | None = None) -> None:
        self.keys = keys
        self._compress = compress
        self.suffix = (ZSTD if compress else "") + (AGE if keys else "")

    def encode(self, content: bytes) -> bytes:
        """Return the content as it is to lie on a disk."""
        if self._compress:
            packer = _compressor()
            content = packer.compress(content)
        return self.keys.encrypt(content) if self.keys else content

    def decode(self, content: bytes, name: str) -> bytes:
        """Return what was encoded under the name; raise StorageError if it is broken.

        For contents that fit into memory and whose digest was compared.
        """
        if name.endswith(AGE):
            content = self._keys(name).decrypt(content, name)
            name = name.removesuffix(AGE)
        if name.endswith(ZSTD):
            unpacker = _unpacker()
            with _telling(name):
                content = unpacker.decompress(content)
            if not unpacker.eof:
                raise StorageError(f"{name} cannot be unpacked: it is cut short")
        return content

    def encode_stream(self, source: Readable, sink: Writable) -> None:
        """Write all that the source has, encoded."""
        if self._compress:
            packer = _compressor()
            source = packer.stream_reader(cast(BinaryIO, source), closefd=False)
        if self.keys:
            careful = _Careful(source, sink)
            try:
                pyrage.encrypt_io(careful, careful, self.keys.recipients)
            except Exception:
                if careful.failed:
                    raise careful.failed from None
                raise
            return
        while chunk := source.read(CHUNK):
            sink.write(chunk)

    @contextmanager
    def decode_stream(self, source: BinaryIO, name: str) -> Iterator[Readable]:
        """Lend what can be read of an encoded content of any size.

        Reading raises StorageError where it is broken or ends too early.
        """
        with ExitStack() as opened:
            result: Readable = source
            if name.endswith(AGE):
                keys = self._keys(name)
                result = opened.enter_context(_decrypting(source, keys, name))
                name = name.removesuffix(AGE)
            if name.endswith(ZSTD):
                result = _Unpacking(result, name)
            yield result

    def _keys(self, name: str) -> Keys:
        if self.keys is None:
            raise StorageError(f"{name} is encrypted, and this store has no key")
        return self.keys


# The library is loaded where something is compressed: a backup in which nothing has
# changed would else wait for that a tenth of the time that a process takes to start.


def _compressor() -> Any:
    import zstandard  # noqa: PLC0415

    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)


def _unpacker() -> Any:
    import zstandard  # noqa: PLC0415

    return zstandard.ZstdDecompressor().decompressobj()


@contextmanager
def _telling(name: str) -> Iterator[None]:
    import zstandard  # noqa: PLC0415

    try:
        yield
    except zstandard.ZstdError as error:
        raise StorageError(f"{name} cannot be unpacked: {error}") from None


class _Unpacking:
    """Reads zstd; its own reader ends in silence where a frame is cut short."""

    def __init__(self, source: Readable, name: str) -> None:
        self._source = source
        self._name = name
        self._unpacker = _unpacker()
        self._ready = io.BytesIO()

    def read(self, size: int = -1, /) -> bytes:
        """Return at most so many bytes."""
        while not (result := self._ready.read(size)):
            if self._unpacker.eof:
                return b""
            chunk = self._source.read(CHUNK)
            if not chunk:
                raise StorageError(f"{self._name} cannot be unpacked: it is cut short")
            with _telling(self._name):
                self._ready = io.BytesIO(self._unpacker.decompress(chunk))
        return result


class _Careful:
    """Remembers what reading or writing raised: the library has words of its own."""

    def __init__(self, source: Readable, sink: Writable) -> None:
        self._source = source
        self._sink = sink
        self.failed: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        with self._remembering():
            return self._source.read(size)

    def write(self, content: bytes, /) -> int:
        with self._remembering():
            return self._sink.write(content)

    def flush(self) -> None:
        with self._remembering():
            self._sink.flush()

    @contextmanager
    def _remembering(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.failed = self.failed or error
            raise


@contextmanager
def _decrypting(source: BinaryIO, keys: Keys, name: str) -> Iterator[Readable]:
    """Lend the plain content; the library writes, we read, so a thread is between."""
    mine, theirs = os.pipe()
    reader, writer = open(mine, "rb", CHUNK), open(theirs, "wb", CHUNK)  # noqa: PTH123, SIM115
    plain = _Plain(reader, name)
    thread = threading.Thread(
        target=plain.fill,
        args=(source, writer, keys),
        name=f"decrypt {name[:8]}",
        daemon=True,
    )
    thread.start()
    try:
        yield plain
    finally:
        reader.close()
        thread.join(_PATIENCE)  # It ends when it cannot write any more.


class _Plain:
    """What comes out of the thread."""

    def __init__(self, reader: BinaryIO, name: str) -> None:
        self._reader = reader
        self._name = name
        self._failed: Exception | None = None

    def fill(self, source: BinaryIO, writer: BinaryIO, keys: Keys) -> None:
        """Decrypt all, in the thread, until nobody reads any more."""
        try:
            pyrage.decrypt_io(source, writer, keys.identities)
            writer.flush()
        except Exception as error:  # noqa: BLE001 - told to the reader below
            self._failed = error  # before the reader sees the end
        with suppress(OSError):
            writer.close()

    def read(self, size: int = -1, /) -> bytes:
        """Return at most so many bytes."""
        chunk = self._reader.read(size)
        if not chunk and self._failed is not None:
            raise StorageError(f"{self._name} cannot be decrypted: {self._failed}")
        return chunk
