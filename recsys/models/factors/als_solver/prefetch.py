"""An instruction that numba has no name for: ask for a line of memory that will be read soon."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LINE = 16
"""Float32 values of a line of the cache: 64 bytes."""

_READ, _SECOND_LEVEL, _DATA = 0, 2, 1
"""What is asked for: data to read, brought as near as the second level, because the first holds what is worked on."""


def _prefetch(_: Any, table: Any, row: Any, column: Any) -> Any:
    """What numba makes of `prefetch`: a type and a function that writes the instruction."""

    def generate(context, builder, signature, arguments):
        of = signature.args[0]
        array = context.make_array(of)(context, builder, arguments[0])
        place = cgutils.get_item_pointer(context, builder, of, array, list(arguments[1:]), wraparound=False)
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(ask, [builder.bitcast(place, pointer), number(_READ), number(_SECOND_LEVEL), number(_DATA)])
        return context.get_dummy_value()

    return types.void(table, types.intp, types.intp), generate


prefetch: Any = intrinsic(_prefetch)
"""In compiled loops, `prefetch(table, row, column)` asks for the line of memory of this place within the array."""
