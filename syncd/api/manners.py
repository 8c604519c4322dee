"""What the configuration says of how dialects behave."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from pathlib import Path

from msgspec import Struct, field

from syncd.api.backups import Markers


class CyborgManners(Struct, frozen=True, kw_only=True):
    """How the API for whole machines behaves."""

    names: Sequence[str] = ()
    """Names that are ours, as ``config`` tells them."""


class DaemonManners(Struct, frozen=True, kw_only=True):
    """How the backup daemon's API behaves."""

    variables: Sequence[str] = ()
    """What the source takes besides: askers may give these in a body."""
    publish_variables: bool = False
    """Whether vaults tell what was given of them."""
    full_restore: bool = True
    """Whether all of a vault may be restored without naming it."""
    prefixes: bool = False
    """Whether partial backups may be named ``PREFIX_NAMESPACE_TIME``, ..."""
    namespace: str = ""
    """... which they are in a namespace only."""
    read_login: bool = False
    """Whether those who only look are asked who they are, too."""
    spool: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    """Where an archive that is sent lies until a vault is made of it."""
    upload_limit: int = 1 << 40
    """Bytes of such an archive."""
    zone: tzinfo | None = None
    """In which vaults are named; None: that of this machine."""
    incremental_zone: tzinfo | None = None
    """The same, of incremental ones."""
    markers: Markers | None = None
    """None: there are none here."""


class OpToolsManners(Struct, frozen=True, kw_only=True):
    """How the API for a blockchain network's console behaves."""

    databases: Mapping[str, str] = {}
    """Names of the databases by what they are there for, in their order."""
    document: str = ""
    """What makes the document of a vault, for workers."""
    body: int = 25 << 20
    """Bytes of a body: a whole backup may be one."""
    private_hooks: bool = False
    """Whether web hooks may go to addresses that are not public."""
    spool: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    """Where a backup that is sent lies until a vault is made of it."""
