"""Everything that can go wrong before there is a whole answer."""

from locust import FastHttpUser, HttpUser, task
from locust.exception import StopUser

CLOSING = ["close/before", "close/in-head", "close/in-body", "close/in-chunk", "close/reset"]
MALFORMED = ["bad/answer", "bad/chunk", "bad/gzip"]
HANGING = ["hang/before", "hang/in-body"]
# For whole answers of a busy machine, too.
TIMEOUT_S = 3


def try_all(user, **timeout):
    name = type(user).__name__
    for what in CLOSING + MALFORMED:
        user.client.get(f"/{name}/{what}")
    for what in HANGING:
        user.client.get(f"/{name}/{what}", **timeout)
    # Nothing listens on port 1.
    user.client.get("http://127.0.0.1:1/refused", name=f"/{name}/refused")
    https = user.host.replace("http://", "https://")
    user.client.get(f"{https}/{name}/tls", name=f"/{name}/tls")
    user.client.get(f"/{name}/still-here")
    raise StopUser()


class TransportHttp(HttpUser):
    @task
    def once(self):
        try_all(self, timeout=TIMEOUT_S)


class TransportFast(FastHttpUser):
    network_timeout = TIMEOUT_S

    @task
    def once(self):
        try_all(self)
