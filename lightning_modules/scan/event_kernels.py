"""Products with a sparse matrix given as events. Compiled as a copy in the kernel folder, so this file imports nothing of the package's."""

from lightning_modules.scan.kernels import kernel


@kernel
def find(x, bits, t_first, steps, b_first, rows, limit, starts, places, values):
    """The non-zeros of ``x[t_first : t_first + steps, b_first : b_first + rows]``, row after row; ``bits`` is ``x`` seen as integers.

    Row r of the chunk has ``places[starts[r] : starts[r + 1]]`` and ``values`` there. Returns their number, or gives up at the end of a
    row once there are more than ``limit``; there must be room for a row and one more than that.
    """
    count = 0
    for t in range(steps):
        for b in range(rows):
            if count > limit:
                return count
            starts[t * rows + b] = count
            row, raw = x[t_first + t, b_first + b], bits[t_first + t, b_first + b]
            width = row.shape[0]
            for first in range(0, width, 8):
                last = min(first + 8, width)
                k = min(first, width - 8)  # most groups of eight are empty: one look at all of them
                if raw[k] | raw[k + 1] | raw[k + 2] | raw[k + 3] | raw[k + 4] | raw[k + 5] | raw[k + 6] | raw[k + 7]:
                    for j in range(first, last):
                        places[count] = j  # without a branch: overwritten unless the next line moves on
                        values[count] = row[j]
                        count += row[j] != 0
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
            o, r = out[t, b], (t_first + t) * batch + b_first + b
            o[:] = 0
            for k in range(starts[r], starts[r + 1]):
                o[places[k]] = values[k]


@kernel
def project(starts, places, values, weight, bias, out):
    """out = bias + events @ weight, ``weight`` [inputs, N]."""
    for r in range(out.shape[0]):
        o = out[r]
        o[:] = bias
        k, end = starts[r], starts[r + 1]
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
def outer(starts, places, values, grad, out):
    """out [inputs, N] += events.T @ grad."""
    for r in range(grad.shape[0]):
        g = grad[r]
        for k in range(starts[r], starts[r + 1]):
            v, o = values[k], out[places[k]]
            for n in range(g.shape[0]):
                o[n] += v * g[n]
