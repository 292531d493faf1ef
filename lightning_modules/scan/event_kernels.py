"""Products with a sparse matrix given as events.

This file is compiled as a copy in the kernel folder, so it imports only ``scan.kernels`` of the package.
"""

import numpy as np

from lightning_modules.scan.kernels import kernel, nonzeros

BITS = (np.arange(256)[:, None] >> np.arange(8)) & 1
COUNT = BITS.sum(1)
# row m: the places of the bits of m, then the others
PLACES = np.argsort(1 - BITS, axis=1, kind="stable").astype(np.int32)


@kernel
def find(x, t_first, steps, b_first, rows, limit, starts, places, values):
    """The non-zeros of ``x[t_first : t_first + steps, b_first : b_first + rows]``, row after row.

    Row r of the chunk has ``places[starts[r] : starts[r + 1]]`` and ``values`` there. Returns their number, or gives up
    at the end of a row once there are more than ``limit``; there must be room for a row and eight more than that.
    """
    count = 0
    width = x.shape[2]
    for t in range(steps):
        for b in range(rows):
            if count > limit:
                return count
            start = starts[t * rows + b] = count
            row = x[t_first + t, b_first + b]
            for first in range(0, width - 7, 8):
                mask = nonzeros(row, first)  # type: ignore[call-arg, var-annotated]
                for k in range(8):  # all eight, the real ones first: the next group overwrites the others
                    places[count + k] = first + PLACES[mask, k]
                count += COUNT[mask]
            for j in range(width // 8 * 8, width):
                places[count] = j
                count += row[j] != 0
            for k in range(start, count):
                values[k] = row[places[k]]
    starts[steps * rows] = count
    return count


@kernel
def take(starts, places, values, batch, t_first, steps, b_first, rows, limit, out_starts, out_places, out_values):
    """As ``find``, from the events of the whole input ([T * batch] rows) instead of a dense one."""
    count = 0
    for t in range(steps):
        for b in range(rows):
            if count > limit:
                return count
            out_starts[t * rows + b] = count
            r = (t_first + t) * batch + b_first + b
            for k in range(starts[r], starts[r + 1]):
                out_places[count] = places[k]
                out_values[count] = values[k]
                count += values[k] != 0
    out_starts[steps * rows] = count
    return count


@kernel
def spread(starts, places, values, batch, t_first, b_first, out):
    """out [steps, rows, inputs] = this part of the input, dense."""
    for t in range(out.shape[0]):
        for b in range(out.shape[1]):
            o = out[t, b]
            r = (t_first + t) * batch + b_first + b
            o[:] = 0
            for k in range(starts[r], starts[r + 1]):
                o[places[k]] = values[k]


@kernel
def add(starts, places, values, weight, out):
    """out += events @ weight, ``weight`` [inputs, N]."""
    for r in range(out.shape[0]):
        o = out[r]
        k = starts[r]
        end = starts[r + 1]
        while k + 4 <= end:  # four rows at a time: the sum stays in a register
            v0, v1, v2, v3 = values[k], values[k + 1], values[k + 2], values[k + 3]
            w0, w1, w2, w3 = weight[places[k]], weight[places[k + 1]], weight[places[k + 2]], weight[places[k + 3]]
            for n in range(o.shape[0]):
                o[n] = (((o[n] + v0 * w0[n]) + v1 * w1[n]) + v2 * w2[n]) + v3 * w3[n]
            k += 4
        while k < end:
            v0, w0 = values[k], weight[places[k]]
            for n in range(o.shape[0]):
                o[n] += v0 * w0[n]
            k += 1


@kernel
def project(starts, places, values, weight, bias, out):
    """out = bias + events @ weight."""
    for r in range(out.shape[0]):
        out[r] = bias
    add(starts, places, values, weight, out)


@kernel
def outer(starts, places, values, grad, out):
    """out [inputs, N] += events.T @ grad: the events of each input in the order of their rows."""
    total = starts[grad.shape[0]]
    begins = np.zeros(out.shape[0] + 2, np.int64)
    rows = np.empty(total, np.int32)
    factors = np.empty(total, values.dtype)
    for k in range(total):
        begins[places[k] + 2] += 1
    for j in range(out.shape[0]):
        begins[j + 2] += begins[j + 1]
    for r in range(grad.shape[0]):
        for k in range(starts[r], starts[r + 1]):
            at = begins[places[k] + 1]
            rows[at] = r
            factors[at] = values[k]
            begins[places[k] + 1] = at + 1
    add(begins, rows, factors, grad, out)
