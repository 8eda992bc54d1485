"""Lets Locust's dispatcher distribute users over made-up sets of user classes, and prints the result as JSON."""

import json
import random

from locust import User, task
from locust.dispatch import UsersDispatcher
from locust.runners import WorkerNode

# The same cases every time.
made_up = random.Random(2470)
CASES = 150
USERS = 60

# No time is to pass between two users.
UsersDispatcher._wait_between_dispatch = property(lambda _: 0.0, lambda _, value: None)


def user_class(name, weight, fixed_count):
    return type(name, (User,), {"weight": weight, "fixed_count": fixed_count, "tasks": [lambda user: None]})


def distribute(classes, workers):
    """The class of each user and the worker it was given to, in order."""
    nodes = [WorkerNode(f"host_{worker:03}") for worker in range(workers)]
    dispatcher = UsersDispatcher(nodes, [user_class(**one) for one in classes])
    dispatcher.new_dispatch(target_user_count=USERS, spawn_rate=1)
    distributed, before = [], {}
    for users in dispatcher:
        now = {(node, name): count for node, counts in users.items() for name, count in counts.items()}
        distributed +=  [
            {"class": name, "worker": int(node.removeprefix("host_"))}
            for (node, name), count in now.items()
            for _ in range(count - before.get((node, name), 0))
        ]
        before = now
    return distributed


def made_up_classes():
    weights = [1, 1, 2, 3, 5, 10, 0.5, 1.5, 0.1, 7.25]
    classes = [
        {
            "name": name,
            "weight": made_up.choice(weights),
            "fixed_count": made_up.choice([0, 0, 0, 1, 2, 5]),
        }
        for name in made_up.sample(["Ada", "Bo", "Cy", "Di", "Ed"], made_up.randint(1, 5))
    ]
    return classes


cases = []
for _ in range(CASES):
    classes, workers = made_up_classes(), made_up.choice([1, 1, 2, 3, 5])
    cases.append({"classes": classes, "workers": workers, "distributed": distribute(classes, workers)})
print(json.dumps(cases))
