"""Client library for the gRPC API of tandemd: the generated stubs, with a token, deadlines and readable errors around them.

async with Tandem("127.0.0.1:7443", token=token) as tandem:
    run = await tandem.start_run("erp-crm")
    await run.done(check=True)
"""

from __future__ import annotations

from tandem_client.client import Tandem
from tandem_client.connection import Tls
from tandem_client.errors import RunFailed, TandemError
from tandem_client.runs import RunHandle

__all__ = ["RunFailed", "RunHandle", "Tandem", "TandemError", "Tls"]
