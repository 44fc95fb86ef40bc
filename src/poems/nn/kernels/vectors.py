"""Loops of the sparse kernel over one vector of results, in the instructions of LLVM.

From a plain loop numba makes vectors too, but keeps their sums in memory between two turns.
Here they stay in registers, which is two to three times as fast where there are many factors.
LLVM fits the vectors to the processor: one with shorter ones takes several of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils as numba_code
from numba.core import types
from numba.extending import intrinsic

# Numbers in a vector.
LANES = 16
# Rows that a loop serves at once, at the most: as many vectors as stay in registers.
MOST_ROWS = 4

# numba has no types for these. Generators of code know the values of arguments that are literals.
cgutils: Any = numba_code
_generated: Any = intrinsic(prefer_literal=True)
_Signature = tuple[Any, Callable[..., Any]]
_INDEX = ir.IntType(64)
# Sums may be reordered and fused; what is not a number stays so.
_FLAGS = ("contract", "nsz", "reassoc")


@_generated  # type: ignore[untyped-decorator]
def add_inputs(
    _: Any, n: Any, fresh: Any, Q: Any, P: Any, k: Any, at: Any, first: Any, last: Any, inputs: Any
) -> _Signature:
    """Add factors k to k + n to the inputs of half-spaces ``first`` to ``last``.

    ``inputs[a - first, :] += sum_k Q[k, a] * P[k, at:at + LANES]``, or ``=`` if ``fresh``;
    n and fresh are literals.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        q, p, k, at, first, last, x = values[2:]
        Q, P, *_, inputs = signature.args[2:]
        loop = _Loop(context, builder, inputs.dtype)
        rows = [loop.at(Q, q, loop.plus(k, i), loop.plus(first, 0)) for i in range(n.literal_value)]
        factors = [loop.load(loop.at(P, p, loop.plus(k, i), at)) for i in range(n.literal_value)]
        into = loop.at(inputs, x, _INDEX(0), _INDEX(0))
        with cgutils.for_range(builder, builder.sub(last, first)) as turn:
            here = builder.gep(into, [builder.mul(turn.index, _INDEX(LANES))])
            total = None if fresh.literal_value else loop.load(here)
            for row, factor in zip(rows, factors, strict=True):
                part = builder.fmul(loop.spread(row, turn.index), factor, flags=_FLAGS)
                total = part if total is None else builder.fadd(total, part, flags=_FLAGS)
            loop.store(total, here)
        return context.get_dummy_value()

    index = types.int64
    return types.void(n, fresh, Q, P, index, index, index, index, inputs), generate


@_generated  # type: ignore[untyped-decorator]
def add_sums(
    _: Any, n: Any, V: Any, out: Any, k: Any, at: Any, first: Any, last: Any, inputs: Any
) -> _Signature:
    """Add to rows k to k + n of the results what lies in half-spaces ``first`` to ``last``.

    ``out[k, at:at + LANES] += sum_a V[k, a] * (inputs[a - first, :] > 0)``; n is a literal.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        v, o, k, at, first, last, x = values[1:]
        V, out, *_, inputs = signature.args[1:]
        loop = _Loop(context, builder, inputs.dtype)
        rows = [loop.at(V, v, loop.plus(k, i), loop.plus(first, 0)) for i in range(n.literal_value)]
        results = [loop.at(out, o, loop.plus(k, i), at) for i in range(n.literal_value)]
        # LLVM keeps these variables in registers.
        totals = [cgutils.alloca_once_value(builder, loop.zero) for _ in results]
        for total, result in zip(totals, results, strict=True):
            builder.store(loop.load(result), total)
        start = loop.at(inputs, x, _INDEX(0), _INDEX(0))
        with cgutils.for_range(builder, builder.sub(last, first)) as turn:
            here = builder.gep(start, [builder.mul(turn.index, _INDEX(LANES))])
            inside = builder.fcmp_ordered(">", loop.load(here), loop.zero)
            loop.add_where(inside, rows, turn.index, totals)
        for total, result in zip(totals, results, strict=True):
            loop.store(builder.load(total), result)
        return context.get_dummy_value()

    index = types.int64
    return types.void(n, V, out, index, index, index, index, inputs), generate


@_generated  # type: ignore[untyped-decorator]
def pair_sums(_: Any, Q: Any, P: Any, V: Any, out: Any, at: Any) -> _Signature:
    """Compute the sums of two factors and two rows, whose inputs need not be kept.

    ``out[k, at:at + LANES] = sum_a V[k, a] * (sum_k Q[k, a] * P[k, at:at + LANES] > 0)``,
    with k 0 and 1.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        *arrays, at = values
        loop = _Loop(context, builder, signature.args[3].dtype)
        start = _INDEX(0)
        q, v = (
            [loop.at(signature.args[i], arrays[i], _INDEX(k), start) for k in (0, 1)]
            for i in (0, 2)
        )
        p, out = (
            [loop.at(signature.args[i], arrays[i], _INDEX(k), at) for k in (0, 1)] for i in (1, 3)
        )
        factors = [loop.load(pointer) for pointer in p]
        totals = [cgutils.alloca_once_value(builder, loop.zero) for _ in out]
        for total in totals:
            builder.store(loop.zero, total)
        length = cgutils.unpack_tuple(
            builder, context.make_array(signature.args[0])(context, builder, arrays[0]).shape
        )[1]
        with cgutils.for_range(builder, length) as turn:
            parts = [
                builder.fmul(loop.spread(row, turn.index), factor, flags=_FLAGS)
                for row, factor in zip(q, factors, strict=True)
            ]
            inside = builder.fcmp_ordered(">", builder.fadd(*parts, flags=_FLAGS), loop.zero)
            loop.add_where(inside, v, turn.index, totals)
        for total, pointer in zip(totals, out, strict=True):
            loop.store(builder.load(total), pointer)
        return context.get_dummy_value()

    return types.void(Q, P, V, out, types.int64), generate


class _Loop:
    """Vectors of one kind of number, and where they lie in arrays whose rows are contiguous."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self._context, self._builder = context, builder
        self._number = context.get_value_type(dtype)
        self._size = context.get_abi_sizeof(self._number)
        self._vector = ir.VectorType(self._number, LANES)
        self.zero = ir.Constant(self._vector, [0.0] * LANES)

    def plus(self, index: Any, more: int) -> Any:
        """An index so much further on."""
        return self._builder.add(index, _INDEX(more))

    def at(self, array_type: Any, value: Any, row: Any, column: Any) -> Any:
        """Where an array's number lies: a pointer."""
        array = self._context.make_array(array_type)(self._context, self._builder, value)
        stride = cgutils.unpack_tuple(self._builder, array.strides)[0]
        start = self._builder.bitcast(array.data, ir.IntType(8).as_pointer())
        start = self._builder.gep(start, [self._builder.mul(row, stride)])
        start = self._builder.bitcast(start, self._number.as_pointer())
        return self._builder.gep(start, [column])

    def load(self, pointer: Any) -> Any:
        """The vector that begins there."""
        return self._builder.load(self._as_vector(pointer), align=self._size)

    def store(self, vector: Any, pointer: Any) -> None:
        """Write a vector there."""
        self._builder.store(vector, self._as_vector(pointer), align=self._size)

    def spread(self, row: Any, index: Any) -> Any:
        """A vector that is a row's number everywhere."""
        number = self._builder.load(self._builder.gep(row, [index]))
        nothing, first = ir.Constant(self._vector, ir.Undefined), ir.IntType(32)(0)
        vector = self._builder.insert_element(nothing, number, first)
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self._builder.shuffle_vector(vector, nothing, everywhere)

    def add_where(self, inside: Any, rows: Any, index: Any, totals: Any) -> None:
        """Add each row's number to its total where a half-space holds it."""
        for row, total in zip(rows, totals, strict=True):
            part = self._builder.select(inside, self.spread(row, index), self.zero)
            whole = self._builder.fadd(self._builder.load(total), part, flags=_FLAGS)
            self._builder.store(whole, total)

    def _as_vector(self, pointer: Any) -> Any:
        return self._builder.bitcast(pointer, self._vector.as_pointer())
