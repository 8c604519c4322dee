"""What kind of content it is, also where the system has no libmagic."""

import os
import subprocess
import sys

ASK = """
import ctypes, ctypes.util
from syncd.drivers import mime
if {hidden}:
    ctypes.util.find_library = lambda name: None
    load = ctypes.CDLL.__init__
    def only_by_path(library, name, *args, **options):
        if name == "libmagic.so.1":
            raise OSError(name)
        load(library, name, *args, **options)
    ctypes.CDLL.__init__ = only_by_path
print(mime.mime(b"%PDF-1.7 "), mime.mime(b"hello"))
"""


def asked(*, hidden: bool) -> str:
    told = subprocess.run(
        [sys.executable, "-c", ASK.format(hidden=hidden)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return told.stdout.strip()


def test_libmagic_tells():
    assert asked(hidden=False) == "application/pdf text/plain"


def test_a_system_without_libmagic_gets_one_that_is_brought_along():
    assert asked(hidden=True) == "application/pdf text/plain"
