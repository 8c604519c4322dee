"""A dump-like program: DEED SERVER FOLDER [-d JSON] [-m JSON] [-mode WORD].

Its server is a folder, each database a folder in it, each dump a tar.
"""

import argparse
import json
import sys
import tarfile
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("deed", choices=["backup", "restore", "list"])
    parser.add_argument("server", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-d", type=json.loads, dest="databases")
    parser.add_argument("-m", type=json.loads, dest="names", default={})
    parser.add_argument("-mode", default="plain")
    told = parser.parse_args()
    dumps = {path.stem: path for path in sorted(told.folder.glob("*.tar"))}
    if told.deed == "list":
        print("\n".join(["", *dumps, " "]))
        return 0
    if not told.server.is_dir():
        print(f"cannot connect to {told.server}", file=sys.stderr)
        return 2
    there = sorted(path.name for path in told.server.iterdir())
    for name in told.databases or (there if told.deed == "backup" else dumps):
        print(f"{told.deed} {name}")
        if told.deed == "backup":
            backup(told.server / name, told.folder / f"{name}.tar")
        else:
            restore(dumps[name], told.server / told.names.get(name, name))
    return 0


def backup(database: Path, dump: Path) -> None:
    if not database.is_dir():
        raise SystemExit(f"no database {database.name}")
    with tarfile.open(dump, "w") as tar:
        for path in sorted(database.iterdir()):
            tar.add(path, path.name)


def restore(dump: Path, database: Path) -> None:
    with tarfile.open(dump) as tar:
        tar.extractall(database)


if __name__ == "__main__":
    sys.exit(main())
