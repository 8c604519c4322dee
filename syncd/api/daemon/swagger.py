"""The description of all addresses, where clients of the original look for it."""

from typing import Any

from syncd.api.daemon.handler import DaemonHandler
from syncd.api.operation import on


class Swagger(DaemonHandler):
    """The OpenAPI document."""

    reads = None

    @on("GET")
    async def document_openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description of every address."""
        document: dict[str, Any] = self.desk.document("openapi")
        return document


ALONE = [("/swagger-ui", Swagger), ("/swagger-ui/swagger.json", Swagger)]
