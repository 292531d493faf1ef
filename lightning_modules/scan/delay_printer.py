"""Prints the kernels of a layer with delays: the neuron's own, called step by step between those of its synapses."""

from __future__ import annotations

from pathlib import Path

from lightning_modules.scan import numba_printer
from lightning_modules.scan.numba_printer import names
from lightning_modules.scan.trace import Traced

FORWARD_DOC = '''\
    """``steps`` steps from time ``t_first`` of the samples in the lanes; arrays are [steps, 1, N * LANES].

    ``current_0s`` holds the currents to come. Its rows from ``in_t`` on belong to these steps, the ``depth`` rows after
    a step get what arrives late. ``x`` is the input of the synapses if ``projected``, else a current. Each state is
    changed in place. ``outputs`` begins with the output before the first step; ``total`` adds them up.
    """'''
BACKWARD_DOC = '''\
    """The same steps in reverse, after a replay from slot ``now`` of ``head`` that gives the ``outputs``.

    ``grad_0s`` has the gradient of the output of each step, then ``depth`` rows with those of later currents; in the
    end its first rows are the gradients of the currents. ``lanes`` [LANES, *] is room for a copy. ``carry`` is the
    gradient of the output before a step, from ``mean`` and from later steps. With ``joined`` the gradients ``join`` of
    recorded states are added; with ``probing`` ``probe`` becomes the total derivative of each output. The gradients of
    the weights are added to ``part`` of each kind of synapses. ``x_grads`` has no rows if it is not needed.
    """'''
SYNAPSES_BACK = """\
        at = k * neurons
        turn(gradients, at, neurons, lanes)
        correlate(inputs[k * width : (k + 1) * width], gradients, lanes, at, ends, rows, total)
        correlate(emitted[at : at + neurons], gradients, lanes, at, ends_own, rows_own, total_own)
        if len(x_grads):
            grad = inputs_grads[k * width : (k + 1) * width]
            if projected:
                grad[:] = real(0.0)
                collect(gradients, at, starts, places, weights, grad)
            else:
                grad[:] = gradients[at : at + neurons]
        for n in range(mean.shape[1]):
            carry[0, n] = mean[0, n] if t > 0 else real(0.0)
        if detach > 0 and t > 0 and t % detach == 0:
            gradients[at : at + depth * neurons] = real(0.0)
            lanes[:, at : at + depth * neurons] = real(0.0)
        else:
            collect(gradients, at, starts_own, places_own, weights_own, carries)
"""
SYNAPSES = "starts{0}, places{0}, weights{0}"


def source(traced: Traced) -> str:
    """The text of a module with the kernels of ``delay_kernels``, ``forward_delayed`` and ``backward_delayed``."""
    kernels = Path(__file__).with_name("delay_kernels.py").read_text()
    return "\n\n".join([numba_printer.source(traced), kernels, _forward(traced), _backward(traced)])


def _forward(traced: Traced) -> str:
    states = traced.states
    extra = range(1, traced.currents)
    drives = traced.drives
    lines = [
        "@kernel",
        "def forward_delayed(steps, t_first, depth, record, projected, current_0s, in_t, x,",
        f"                    {names(extra, 'current_{0}s')}{names(drives, 'drive_{0}s, every_{0}')}",
        f"                    {names(states, 'head_{0}s')}{names(states, 'record_{0}s')}outputs, total, bias,",
        f"                    {SYNAPSES.format('')}, {SYNAPSES.format('_own')}):",
        FORWARD_DOC,
        "    neurons = total.shape[1] // LANES",
        "    currents = current_0s.reshape(-1, LANES)",
        "    emitted = outputs.reshape(-1, LANES)",
        "    inputs = x.reshape(-1, LANES)",
        "    width = len(inputs) // len(x)",
        "    for t in range(steps):",
        "        clear(current_0s[in_t + t + depth, 0])",
        "        now = (in_t + t) * neurons",
        "        if projected:",
        "            spread(inputs[t * width : (t + 1) * width], starts, places, weights, currents, now)",
        "        spread(emitted[t * neurons : (t + 1) * neurons], starts_own, places_own, weights_own, currents, now)",
        "        current = current_0s[in_t + t, 0]",
        "        for n in range(len(current)):",
        "            current[n] += bias[n]",
        "        if not projected:",
        "            for n in range(len(current)):",
        "                current[n] += x[t, 0, n]",
        f"        forward(1, t_first + t, 0, record, current_0s, {names(extra, 'current_{0}s[t : t + 1]')}in_t + t, 0,",
        f"                {names(drives, 'drive_{0}s, every_{0}')}{names(states, 'head_{0}s')}",
        f"                {names(states, 'record_{0}s[t * record : t * record + 1]')}",
        "                outputs, outputs, t + 1, 0, total, False, currents, bias)",
        "",
    ]
    return "\n".join(lines)


def _backward(traced: Traced) -> str:
    states = traced.states
    currents = range(traced.currents)
    drives = traced.drives
    before_flag = f"{names(states, 'head_{0}s')}{names(states, 'row_{0}')}{names(states, 'past_{0}s')}head, outputs, "
    after_flag = f"{names(states, 'adjoint_{0}s')}{names(drives, 'part_{0}s, sum_{0}s')}{names(currents, 'grad_{0}s')}"
    lines = [
        "@kernel",
        "def backward_delayed(steps, t_first, now, detach, depth, joined, probing, projected,",
        f"                     {names(currents, 'current_{0}s')}in_t, {names(drives, 'drive_{0}s, every_{0}')}",
        f"                     {before_flag}{after_flag}",
        f"                     part, sum, mean, carry, {names(states, 'join_{0}s')}probe, lanes, x, x_grads,",
        f"                     {SYNAPSES.format('')}, ends, rows, total,",
        f"                     {SYNAPSES.format('_own')}, ends_own, rows_own, total_own):",
        BACKWARD_DOC,
        "    neurons = mean.shape[1] // LANES",
        "    gradients = grad_0s.reshape(-1, LANES)",
        "    emitted = outputs.reshape(-1, LANES)",
        "    inputs = x.reshape(-1, LANES)",
        "    inputs_grads = x_grads.reshape(-1, LANES)",
        "    width = len(inputs) // len(x)",
        "    carries = carry.reshape(-1, LANES)",
        "    turn(gradients, steps * neurons, depth * neurons, lanes)",
        "    for k in range(steps - 1, -1, -1):",
        "        t = t_first + k",
        *_joining(traced),
        # the call of the last step first replays all of them
        f"        backward(steps, t_first, now, k == steps - 1, k, k + 1, detach, {names(currents, 'current_{0}s')}",
        f"                 in_t, 0, {names(drives, 'drive_{0}s, every_{0}')}{before_flag}True, {after_flag}",
        "                 0, 0, grad_0s[:0], 0, 0, part, sum, carry)",
        SYNAPSES_BACK,
    ]
    return "\n".join(lines)


def _joining(traced: Traced) -> list[str]:
    """Gradients that come in at a single step, and the total derivative of its output."""
    *new_states, output = traced.forward.outputs
    equal = [s for s, new in zip(traced.states, new_states, strict=True) if new == output]  # a state that is the output
    return [
        "        if joined:",
        "            for n in range(mean.shape[1]):",
        *(f"                adjoint_{s}s[0, n] += join_{s}s[k, 0, n]" for s in traced.states),
        *([] if traced.states else ["                pass"]),
        "        if probing:",
        "            for n in range(mean.shape[1]):",
        "                probe[k, 0, n] = grad_0s[k, 0, n] + carry[0, n]",
        *(f"                probe[k, 0, n] += adjoint_{s}s[0, n]" for s in equal),
    ]
