"""Column: a column of rows, as a database describes it."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """A column of rows. `kind`: the type in which its values arrive. `expression`: how it is selected."""

    name: str
    kind: pa.DataType
    expression: str
