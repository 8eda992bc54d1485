"""Verdicts of the scenario: catch_response and rest()."""

from locust import FastHttpUser, HttpUser, task
from locust.exception import ResponseError, StopUser


def judge_all(user):
    name = type(user).__name__
    client = user.client
    with client.get(f"/{name}/status/404?good", catch_response=True) as response:
        response.success()
    with client.get(f"/{name}/status/200?bad", catch_response=True) as response:
        response.failure("not what was asked for")
    with client.get(f"/{name}/status/404?unjudged", catch_response=True):
        pass
    with client.get(f"/{name}/status/200?unjudged", catch_response=True):
        pass
    with client.get(f"/{name}/status/404?good and named", name=f"/{name}/own name", catch_response=True) as response:
        response.success()
    with client.get(f"/{name}/status/200?raised", catch_response=True):
        raise ResponseError("the response is wrong")
    with client.get(f"/{name}/status/200?quote", catch_response=True) as response:
        response.failure("it's not \"right\"")

    for path in ["json", "status/500", "text", "status/204"]:
        with user.rest("GET", f"/{name}/{path}?rest"):
            pass
    with user.rest("GET", f"/{name}/json?missing") as response:
        assert "c" in response.js, "there is no c"
    with user.rest("GET", f"/{name}/status/404?expected") as response:
        if response.status_code == 404:
            response.success()
    with user.rest("POST", f"/{name}/json?posted", json={"x": 1}) as response:
        if response.js["a"] != 2:
            response.failure(f"a is {response.js['a']}")
    raise StopUser()


class CatchingHttp(HttpUser):
    @task
    def once(self):
        judge_all(self)


class CatchingFast(FastHttpUser):
    @task
    def once(self):
        judge_all(self)


class BrokenBlock(HttpUser):
    """An exception in a block that judges: the request and the task."""

    done = 0

    @task
    def once(self):
        self.done += 1
        if self.done > 2:
            raise StopUser()
        with self.client.get("/BrokenBlock/status/200", catch_response=True):
            raise ValueError("in the block")
