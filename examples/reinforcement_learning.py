"""REINFORCE on a cart-pole of 15 lines of NumPy

"""

import argparse

import keras
import numpy as np
import tensorflow as tf

from tb_gradplugin import GradientRecorder

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/reinforcement_learning")
parser.add_argument("--updates", type=int, default=60)
parser.add_argument("--lr", type=float, default=0.01)
args = parser.parse_args()

EPISODES, STEPS, DISCOUNT = 16, 200, 0.99


def push(state: np.ndarray, action: np.ndarray) -> np.ndarray:
    """Barto, Sutton and Anderson's cart-pole, 0.02 s on; state [episodes, 4], action 0 or 1."""
    _, v, angle, spin = state.T
    sin, cos = np.sin(angle), np.cos(angle)
    force = (20.0 * action - 10.0 + 0.05 * spin**2 * sin) / 1.1
    turn = (9.8 * sin - cos * force) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
    return state + 0.02 * np.stack([v, force - 0.05 * turn * cos / 1.1, spin, turn], axis=1)


rng = np.random.default_rng(0)
keras.utils.set_random_seed(0)
policy = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(32, "tanh", name="hidden"),
        keras.layers.Dense(2, name="logits"),
    ]
)
optimizer = keras.optimizers.Adam(args.lr)


def play():
    state = rng.uniform(-0.05, 0.05, (EPISODES, 4))
    alive = np.ones(EPISODES, bool)
    states, actions, rewards = [], [], []
    while alive.any() and len(states) < STEPS:
        logits = policy(state.astype("float32")).numpy()
        right = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
        action = (rng.random(EPISODES) < right).astype(int)
        states.append(state)
        actions.append(action)
        rewards.append(alive)
        state = push(state, action)
        alive = alive & (np.abs(state[:, 0]) < 2.4) & (np.abs(state[:, 2]) < 0.21)
    return np.array(states, "float32"), np.array(actions), np.array(rewards)


with GradientRecorder(args.logdir, policy, optimizer=optimizer) as recorder:
    for step in range(1, args.updates + 1):
        states, actions, played = play()
        returns = np.zeros(played.shape)
        after = 0.0
        for t in reversed(range(len(played))):
            returns[t] = after = played[t] + DISCOUNT * after
        advantage = (returns - returns[played].mean()) / (returns[played].std() + 1e-8)
        with tf.GradientTape() as tape:
            entropy = keras.losses.sparse_categorical_crossentropy(
                actions[played], policy(states[played]), from_logits=True
            )
            loss = tf.reduce_mean(entropy * advantage[played].astype("float32"))
        gradients = tape.gradient(loss, policy.trainable_variables)
        score = played.sum(axis=0).mean()
        recorder.record(
            gradients, policy.trainable_variables, step=step, loss=loss, metrics={"return": score}
        )
        optimizer.apply(gradients, policy.trainable_variables)
        if step % 10 == 1: print(step, score)
report = recorder.report()
print(f"{report.verdict} {report.kinds}, return {score:.0f} of {STEPS}")
