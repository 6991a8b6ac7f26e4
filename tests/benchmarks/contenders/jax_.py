"""JAX: the whole step, Adam included, compiled by `jax.jit` into one function.

Compiling is not timed. The old state is donated, so that XLA may write the new one over it.
"""

import jax
import jax.numpy as jnp

from ..networks import data, weights

ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}


def training_step(case):
    params = [(jnp.asarray(w.T), jnp.zeros(len(w))) for w in weights(case)]
    x, y = map(jnp.asarray, data(case))
    activation = ACTIVATIONS[case.activation]
    state, update = {"adam": adam, "sgd": sgd}[case.optimizer](params, case.lr)

    def loss_of(params):
        *hidden, (w, b) = params
        h = x
        for weight, bias in hidden:
            h = activation(h @ weight + bias)
        log_p = jax.nn.log_softmax(h @ w + b)
        return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()

    def whole_step(params, state):
        loss, gradients = jax.value_and_grad(loss_of)(params)
        return loss, *update(params, gradients, state)

    compiled = jax.jit(whole_step, donate_argnums=(0, 1))

    def step():
        nonlocal params, state
        loss, params, state = jax.block_until_ready(compiled(params, state))
        return loss.item()

    return step


def adam(params, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    def update(params, gradients, state):
        t, m, v = state
        t = t + 1
        m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, gradients)
        v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, gradients)
        m_scale, v_scale = 1 - beta1**t, 1 - beta2**t
        params = jax.tree.map(
            lambda p, m, v: p - lr * (m / m_scale) / (jnp.sqrt(v / v_scale) + eps), params, m, v
        )
        return params, (t, m, v)

    zeros = jax.tree.map(jnp.zeros_like, params)
    return (jnp.asarray(0.0), zeros, jax.tree.map(jnp.copy, zeros)), update


def sgd(params, lr):
    def update(params, gradients, state):
        return jax.tree.map(lambda p, g: p - lr * g, params, gradients), state

    return (), update
