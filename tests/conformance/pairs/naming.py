"""What requests are called in the statistics, and the address they go to."""

from locust import FastHttpUser, HttpUser, task
from locust.exception import StopUser

PATHS = [
    "path",
    "path?x=1&y=2",
    "path?",
    "with space",
    "with%20escape",
    "ümlaut?q=ü",
    "tilde~star*plus+",
    "a/../dots/./x",
    "double//slash",
    "fragment#part",
]


def name_all(user):
    name = type(user).__name__
    for path in PATHS:
        user.client.get(f"/{name}/{path}")
    user.client.get(f"{user.host}/{name}/whole?q=1")
    user.client.get(f"/{name}/named/7", name=f"/{name}/named/[id]")
    with user.client.rename_request(f"/{name}/renamed"):
        user.client.get(f"/{name}/block/1")
        user.client.post(f"/{name}/block/2")
        user.client.get(f"/{name}/block/3", name=f"/{name}/own name wins")
    user.client.request_name = f"/{name}/from now on"
    user.client.get(f"/{name}/later/1")
    user.client.request_name = None
    user.client.get(f"/{name}/after")
    raise StopUser()


class NamingHttp(HttpUser):
    @task
    def once(self):
        name_all(self)


class NamingFast(FastHttpUser):
    @task
    def once(self):
        name_all(self)
