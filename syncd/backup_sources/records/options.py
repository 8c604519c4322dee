"""What a source of syncd's own records is made of; the daemon says it by itself."""

from pydantic import Field

from syncd.backup_sources.options import SourceOptions

NAMES = {
    "components": "athena_components",
    "sessions": "athena_sessions",
    "system": "athena_system",
}


class RecordsOptions(SourceOptions):
    """Records of this syncd: entries, files' owners, logins, rules; as documents."""

    index: str = Field(default="", description="file of the index; the daemon's own")
    rules: str = Field(default="", description="file of the rules; the daemon's own")
    databases: dict[str, str] = Field(
        default=NAMES, description="what the three sets of documents are called"
    )
