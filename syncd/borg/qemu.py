"""Images of virtual machines in files, as QEMU and libvirt have them."""

from collections.abc import Mapping
from typing import Any

from syncd.core.borg.values import folder, line
from syncd.core.borg.variables import Dump
from syncd.errors import BadRequest

PROGRAM = """\
if [ -n "$2" ]; then sh -c "$2" >&2 || exit 1; fi
trap 'exit 143' TERM HUP INT
thaw() { [ -z "$3" ] || sh -c "$3" >&2; }
trap 'thaw "$@"' EXIT
cat -- "$1" || exit 1
trap - EXIT
thaw "$@"
"""
"""Shell program that is the same for everybody: what differs are its words."""


class Qemu:
    """See providers.Provider; a command of yours sees to it that the image rests.

    With libvirt, ``freeze`` is ``virsh snapshot-create-as`` with ``--disk-only``, and
    ``thaw`` is ``virsh blockcommit --active --pivot``: what the machine writes
    meanwhile is elsewhere.
    """

    name = "QEMU or libvirt: an image in a file"
    variables: Mapping[str, Any] = {
        "image": "/var/lib/libvirt/images/web.qcow2",
        "freeze": "virsh snapshot-create-as web syncd --disk-only --no-metadata",
        "thaw": "virsh blockcommit web vda --active --pivot",
    }

    def dump(self, variables: Mapping[str, Any]) -> Dump:
        """Return the command that freezes, prints and thaws; raise BadRequest."""
        if strangers := variables.keys() - self.variables.keys():
            known = ", ".join(self.variables)
            raise BadRequest(
                f"extra_vars: {min(strangers)!r} means nothing to an image; known:"
                f" {known}"
            )
        said = {name: variables.get(name) or "" for name in self.variables}
        for name, value in said.items():
            if not isinstance(value, str):
                raise BadRequest(f"extra_vars: {name} must be text")
            if value:
                line(f"extra_vars: {name}", value)
        if not said["image"]:
            raise BadRequest('extra_vars: say which image: {"image": "/..."}')
        if bool(said["freeze"]) != bool(said["thaw"]):
            raise BadRequest(
                "extra_vars: freeze and thaw belong together; give both, or none for an"
                " image that nobody writes to"
            )
        image = folder("extra_vars: image", said["image"])
        return Dump(("sh", "-c", PROGRAM, "sh", image, said["freeze"], said["thaw"]))
