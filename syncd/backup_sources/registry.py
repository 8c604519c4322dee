"""Sources of backups by kind: their classes, and what their options may say."""

from syncd.announced import Announced
from syncd.backup_sources.loading import WHAT
from syncd.backup_sources.options import SourceOptions

GROUP = "syncd.backup_sources"
OPTIONS = "syncd.backup_source_options"

_sources = Announced(WHAT, (GROUP, OPTIONS), SourceOptions)

names = _sources.names
reference = _sources.reference
options = _sources.options
schemas = _sources.schemas
