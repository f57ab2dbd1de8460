"""One training step as a pure function: the reference runs it literally, JAX traces it.

Forward, output error, backward, penalties, clipping, the optimizer's update: each line is a
function of the modules below. Examples stand in columns here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from deltarule import equations
from deltarule.arrays import Array, namespace
from deltarule.engines.plan import OptimizerState, Plan, Statistics
from deltarule.layers import Batch, Cache
from deltarule.network import (
    Masks,
    Observer,
    Parameters,
    back_propagate,
    feed_forward,
    output_delta,
    output_loss,
)
from deltarule.optimizers import State
from deltarule.rng import Seed, dropout_mask


class Stepped(NamedTuple):
    """What a step returns: the new parameters and optimizer state, its cost, its statistics."""

    parameters: Parameters
    state: OptimizerState
    cost: Array
    statistics: Statistics | None


def initial_state(plan: Plan, parameters: Parameters) -> OptimizerState:
    """The optimizer's state before the first step."""
    return tuple(
        {name: plan.optimizer_row.init(own[name]) for name in shapes}
        for own, shapes in zip(parameters, plan.network.learned_shapes, strict=True)
    )


def masks_of(plan: Plan, xp: Any, step: Array, positions: Array, seed: Seed | None = None) -> Masks:
    """The dropout masks of a step, by layer; `positions` count within the global batch.

    `seed` is the plan's by default: a compiled program takes it while it runs.
    """
    sizes, seed = plan.network.sizes, plan.seed if seed is None else seed
    return {
        layer: dropout_mask(xp, share, plan.dtype, seed, step, layer, sizes[layer], positions)
        for layer, share in plan.network.dropout.items()
    }


def smoothed(plan: Plan, Y: Array) -> Array:
    """Targets with the plan's label smoothing."""
    share, uniform = plan.regularization.label_smoothing, plan.network.cost_row.uniform
    if share == 0.0 or uniform is None:
        return Y
    return Y * (1.0 - share) + share * uniform(plan.network.outputs)


def weight_of(A0: Array, s: Array | None) -> Array:
    """m: the number of examples, or the sum of their weights; 1 where that is 0."""
    if s is None:
        return A0.shape[1]
    total = s.sum()
    return namespace(s).where(total > 0, total, total + 1)


def cost_of(
    plan: Plan, parameters: Parameters, output: Cache, Y: Array, s: Array | None, m: Array
) -> Array:
    """The cost of a batch, penalties included; `Y` is already smoothed."""
    loss = output_loss(plan.network, output, Y)
    value = equations.cost(loss) if s is None else (s * loss).sum() / m
    rules = plan.regularization
    if rules.penalised:
        penalty = sum(
            rules.penalty(own[name])
            for layer, own in zip(plan.network.layers, parameters, strict=True)
            for name in layer.penalised
        )
        value = value + (penalty / m if rules.over_batch else penalty)
    return value


def gradients_of(
    plan: Plan,
    parameters: Parameters,
    caches: tuple[Cache, ...],
    delta: Array,
    m: Array,
    masks: Masks | None = None,
    observe: Observer | None = None,
) -> tuple[Parameters, tuple[Array, ...]]:
    """Every derivative of the penalised cost, and every δ, from δ[L]."""
    network, rules = plan.network, plan.regularization
    gradients, deltas = back_propagate(network, parameters, caches, delta, m, masks, observe)
    if rules.penalised:
        share = 1.0 / m if rules.over_batch else 1.0
        gradients = tuple(
            {
                name: d + share * rules.penalty_gradient(own[name])
                if name in layer.penalised
                else d
                for name, d in own_gradients.items()
            }
            for layer, own, own_gradients in zip(network.layers, parameters, gradients, strict=True)
        )
    return gradients, deltas


def updated(
    plan: Plan,
    parameters: Parameters,
    gradients: Parameters,
    state: OptimizerState,
    step: Array,
    alpha: Array,
) -> tuple[Parameters, OptimizerState]:
    """Parameters and state after clipping, decoupled decay, the optimizer's update, max-norm.

    What has no derivative stays as it is.

    `step` counts from 0; `alpha` is the rate of this step before the layers' multipliers. Both
    are scalars of the parameters' dtype.
    """
    rules, optimizer = plan.regularization, plan.optimizer_row
    decay = rules.decay + optimizer.decay
    after: list[dict[str, Array]] = []
    after_state: list[dict[str, State]] = []
    layers = zip(plan.network.layers, parameters, rules.clipped(gradients), state, strict=True)
    for layer, own, own_gradients, own_state in layers:
        new = dict(own)
        new_state: dict[str, State] = {}
        for name, dW in own_gradients.items():
            W = own[name]
            if decay > 0 and name in layer.penalised:
                W = W - alpha * decay * W
            rate = alpha * layer.multiplier(name)
            W, new_state[name] = optimizer.update(W, dW, own_state[name], step + 1, rate)
            new[name] = rules.limited(W) if name in layer.penalised else W
        after.append(new)
        after_state.append(new_state)
    return tuple(after), tuple(after_state)


def averaged(plan: Plan, parameters: Parameters, caches: tuple[Cache, ...]) -> Parameters:
    """The parameters, the running ones as this step's forward pass leaves them."""
    return tuple(
        {**own, **layer.averaged(own, cache)}
        for layer, own, cache in zip(plan.network.layers, parameters, caches, strict=True)
    )


def step_from(
    plan: Plan,
    parameters: Parameters,
    state: OptimizerState,
    A0: Array,
    dA: Array,
    step: Array,
    alpha: Array,
    masks: Masks | None,
) -> tuple[Parameters, OptimizerState]:
    """One step from the caller's own ∂(summed loss)/∂A[L]; the rest as :func:`training_step`."""
    caches = feed_forward(plan.network, parameters, A0, masks, Batch())
    delta = plan.network.layers[-1].delta(dA, caches[-1])
    gradients, _ = gradients_of(plan, parameters, caches, delta, A0.shape[1], masks)
    return updated(plan, averaged(plan, parameters, caches), gradients, state, step, alpha)


def training_step(
    plan: Plan,
    parameters: Parameters,
    state: OptimizerState,
    A0: Array,
    Y: Array,
    s: Array | None,
    step: Array,
    alpha: Array,
    masks: Masks | None,
    statistics: bool = False,
    observe: Observer | None = None,
) -> Stepped:
    """One step from a batch of examples in columns.

    Parameters
    ----------
    plan : Plan
    parameters, state
        As they stand before the step.
    A0, Y, s : arrays, shapes (n[0], m), (n[L], m), (m,) or None
        A batch whose weights sum to 0 changes nothing and costs 0.
    step, alpha : scalars of the parameters' dtype
        The number of the step, from 0, and its learning rate.
    masks : mapping or None
        From :func:`masks_of`.
    statistics : bool
        Whether to compute them.
    observe : callable, optional
        Whoever watches both passes; see :func:`~deltarule.network.feed_forward` and
        :func:`~deltarule.network.back_propagate`.
    """
    network = plan.network
    Y = smoothed(plan, Y)
    m = weight_of(A0, s)
    caches = feed_forward(network, parameters, A0, masks, Batch(s), observe)
    cost = cost_of(plan, parameters, caches[-1], Y, s, m)
    delta = output_delta(network, caches[-1], Y, s)
    gradients, deltas = gradients_of(plan, parameters, caches, delta, m, masks, observe)
    after, after_state = updated(
        plan, averaged(plan, parameters, caches), gradients, state, step, alpha
    )
    if s is not None:
        weighs = s.sum() > 0
        after, after_state = _chosen(weighs, (after, after_state), (parameters, state))
        cost = namespace(s).where(weighs, cost, cost * 0)
    found = statistics_of(parameters, after, gradients, deltas) if statistics else None
    return Stepped(after, after_state, cost, found)


def statistics_of(
    before: Parameters, after: Parameters, gradients: Parameters, deltas: tuple[Array, ...]
) -> Statistics:
    """A step's statistics, one number a layer."""
    xp = namespace(deltas[0])
    nothing = xp.zeros((), dtype=deltas[0].dtype)

    def norm(arrays: Any) -> Array:
        return xp.sqrt(sum(((a * a).sum() for a in arrays), start=nothing))

    changes = (
        norm(new[name] - old[name] for name in own) / norm(old[name] for name in own)
        if own
        else nothing
        for old, new, own in zip(before, after, gradients, strict=True)
    )
    return Statistics(
        xp.stack([norm(layer.values()) for layer in gradients]),
        xp.stack(list(changes)),
        xp.stack([(delta == 0).all(axis=1).mean(dtype=delta.dtype) for delta in deltas]),
    )


def _chosen(condition: Array, new: Any, old: Any) -> Any:
    """`new` where the condition holds, else `old`, through tuples and dictionaries."""
    if isinstance(new, dict):
        return {name: _chosen(condition, new[name], old[name]) for name in new}
    if isinstance(new, tuple):
        return tuple(_chosen(condition, n, o) for n, o in zip(new, old, strict=True))
    return namespace(new).where(condition, new, old)
