"""What people say of a source that is entries."""

from pydantic import Field

from syncd.backup_sources.options import SourceOptions


class EntriesOptions(SourceOptions):
    """The entries of this syncd, or some of them, file by file."""

    entries: list[str] | None = Field(
        default=None,
        min_length=1,
        description="names of the entries to back up; without it, all of them",
    )
