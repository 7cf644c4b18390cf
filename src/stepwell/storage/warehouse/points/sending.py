"""How columns get to ClickHouse. The driver knows the protocol; here is only what it need not do for whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.block import ColumnOrientedBlock
from numpy.typing import NDArray

Column = NDArray[Any]


class Sender(Client):  # type: ignore[misc]  # the driver has no types
    """The driver's client, which is given several blocks for one insert, and copies numbers once on their way. Without
    `ca_certs` it trusts whom the system trusts, also where the driver finds the package certifi."""

    def __init__(self, **options: Any) -> None:
        """`options` are the driver's."""
        super().__init__(**options)
        if not options.get("ca_certs"):
            self.connection.ssl_options.pop("ca_certs", None)

    def send_data(
        self, sample_block: Any, data: Sequence[Sequence[Column]], types_check: bool = False, columnar: bool = False
    ) -> int:
        """Send blocks, each of equally long columns, `insert_block_size` rows at once; how many rows they have."""
        names, size = sample_block.columns_with_types, self.connection.context.client_settings["insert_block_size"]
        for block in data:
            for begin in range(0, len(block[0]), size):
                some = [_Whole(column[begin : begin + size]) for column in block]
                self.connection.send_data(ColumnOrientedBlock(names, some, types_check=types_check))
                self.receive_profile_events()
        self.connection.send_data(ColumnOrientedBlock())
        self.receive_profile_events()
        return sum(len(block[0]) for block in data)


class _Whole:
    """A column in which nothing is NULL. In an array the driver would look for that, and copy it twice to do so."""

    def __init__(self, column: Column) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def astype(self, dtype: Any) -> Column:
        """As numpy's, without a copy where it is so already."""
        return self._column.astype(dtype, copy=False)
