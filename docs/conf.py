import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "syncd"
author = "the syncd developers"
copyright = author
release = version = installed("syncd")

extensions = ["generated"]
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "alabaster"
html_theme_options = {
    "description": "Keeps files in step between storages, by rules",
    "fixed_sidebar": True,
    "page_width": "60rem",
}
html_copy_source = False
