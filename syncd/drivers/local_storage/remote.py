"""Whether other machines may change a folder: then the kernel tells only half."""

import ctypes
import os

_NETWORKS = frozenset(
    {
        0x00006969,  # NFS
        0x0000517B,  # SMB
        0xFE534D42,  # SMB 2
        0xFF534D42,  # CIFS
        0x01021997,  # 9p
        0x5346414F,  # AFS
        0x6B414653,  # AFS, the kernel's own
        0x73757245,  # Coda
        0x00C36400,  # Ceph
        0x0BD00BD0,  # Lustre
        0x47504653,  # GPFS
        0x7461636F,  # OCFS2
        0x01161970,  # GFS2
        0x20030528,  # OrangeFS
        0x19830326,  # BeeGFS
        0x786F4256,  # a folder of the host of a virtual machine
        0x65735546,  # FUSE: sshfs and the like
    }
)
"""Magic numbers of statfs(2); those of linux/magic.h, and two that are not there."""

_ROOM = 256
"""Bytes that hold a struct statfs on any machine; its first word is the type."""

_fstatfs = ctypes.CDLL(None, use_errno=True).fstatfs


def is_remote(descriptor: int) -> bool:
    """Tell whether the open folder lies in a file system that others write, too."""
    return type_of(descriptor) in _NETWORKS


def type_of(descriptor: int) -> int:
    """Return the magic number of the file system; raise OSError."""
    status = (ctypes.c_ulong * (_ROOM // ctypes.sizeof(ctypes.c_ulong)))()
    if _fstatfs(descriptor, ctypes.byref(status)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return status[0] & 0xFFFFFFFF
