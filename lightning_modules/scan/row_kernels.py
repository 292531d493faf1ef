"""What printed kernels do with whole rows.

This file is compiled as a copy in the kernel folder, so it imports only ``scan.kernels`` of the package.
"""

from lightning_modules.scan.kernels import kernel, prefetch, stream


@kernel
def copy(to, row):
    for n in range(len(to)):
        to[n] = row[n]


@kernel
def clear(row):
    for n in range(len(row)):
        row[n] = 0.0


@kernel
def ask(row):
    """Fetch a row into the cache ahead of its use."""
    for n in range(0, len(row), 16):
        prefetch(row, n)  # type: ignore[call-arg]


@kernel
def write_past_cache(to, row):
    for n in range(0, len(row), 16):
        stream(to, row, n)  # type: ignore[call-arg]


@kernel
def flush(total, part):
    """total += part, and part starts again."""
    for n in range(len(total)):
        total[n] += part[n]
        part[n] = 0.0


@kernel
def add_rows(row, values, matrix, places):
    """row += values @ matrix for the values that are not zero, four at a time so that the sum stays in a register."""
    zero = values.dtype.type(0)
    count = 0
    for j in range(values.shape[0]):
        places[count] = j  # without a branch: overwritten unless the next line moves on
        count += values[j] != zero
    k = 0
    while k + 4 <= count:
        i0, i1, i2, i3 = places[k], places[k + 1], places[k + 2], places[k + 3]
        v0, v1, v2, v3 = values[i0], values[i1], values[i2], values[i3]
        m0, m1, m2, m3 = matrix[i0], matrix[i1], matrix[i2], matrix[i3]
        for n in range(row.shape[0]):
            row[n] = (((row[n] + v0 * m0[n]) + v1 * m1[n]) + v2 * m2[n]) + v3 * m3[n]
        k += 4
    while k < count:
        v0, m0 = values[places[k]], matrix[places[k]]
        for n in range(row.shape[0]):
            row[n] += v0 * m0[n]
        k += 1
