"""REINFORCE on the cart-pole, at a learning rate that is far too high and at one that solves it.

An agent's loss need not fall, so no `loss_name` is given and `slow` and `stalled` are not looked
for; what is to rise is the return, drawn beside the gradients by `metrics=`. Adam at 1 (run
`rate_1.0`) throws the weights to many times their size: an `exploding` finding at step 20, long
before the return tells. The run `rate_0.01` is healthy and comes near the 200 steps of an episode.
"""

import argparse

import keras
import numpy as np
import tensorflow as tf

from tb_gradplugin import GradientRecorder

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/reinforcement_learning")
parser.add_argument("--updates", type=int, default=60)
args = parser.parse_args()

EPISODES, LENGTH, DISCOUNT = 16, 200, 0.99
rng = np.random.default_rng(0)


def push(state: np.ndarray, action: np.ndarray) -> np.ndarray:
    """The cart-poles 0.02 s later; state [episodes, 4], action 0 (left) or 1 (right)."""
    _, v, angle, spin = state.T
    force = (20.0 * action - 10.0 + 0.05 * spin**2 * np.sin(angle)) / 1.1
    turn = 9.8 * np.sin(angle) - np.cos(angle) * force
    turn /= 0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1)
    force -= 0.05 * turn * np.cos(angle) / 1.1
    return state + 0.02 * np.stack([v, force, spin, turn], axis=1)


def play(policy: keras.Model) -> tuple[np.ndarray, ...]:
    """States, actions and returns of all steps of a batch of episodes, and the mean return."""
    state, alive = rng.uniform(-0.05, 0.05, (EPISODES, 4)), np.ones(EPISODES, bool)
    states, actions, played = [], [], []
    while alive.any() and len(states) < LENGTH:
        logits = policy.predict_on_batch(state.astype("float32"))
        action = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
        states.append(state)
        actions.append(action)
        played.append(alive)
        state = push(state, action)
        alive = alive & (np.abs(state[:, 0]) < 2.4) & (np.abs(state[:, 2]) < 0.21)
    played = np.array(played)
    returns = np.zeros(played.shape)
    to_come = np.zeros(EPISODES)
    for t in reversed(range(len(played))):
        returns[t] = to_come = played[t] + DISCOUNT * to_come
    states = np.array(states, "float32")
    return states[played], np.array(actions)[played], returns[played], played.sum() / EPISODES


for rate in (1.0, 0.01):
    keras.utils.set_random_seed(0)
    policy = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(32, "tanh", name="hidden"),
            keras.layers.Dense(2, name="logits"),
        ]
    )
    weights, optimizer = policy.trainable_variables, keras.optimizers.Adam(rate)
    with GradientRecorder(f"{args.logdir}/rate_{rate}", policy, optimizer=optimizer) as recorder:
        for step in range(1, args.updates + 1):
            states, actions, returns, score = play(policy)
            advantage = ((returns - returns.mean()) / returns.std()).astype("float32")
            with tf.GradientTape() as tape:
                surprise = keras.losses.sparse_categorical_crossentropy(
                    actions, policy(states), from_logits=True
                )
                loss = tf.reduce_mean(surprise * advantage)
            gradients = tape.gradient(loss, weights)
            recorder.record(gradients, weights, step=step, loss=loss, metrics={"return": score})
            optimizer.apply(gradients, weights)
    report = recorder.report()
    end = f"return {score:.0f} of {LENGTH}"
    print(f"rate {rate}: {report.verdict}", *report.kinds, end, sep=", ")
