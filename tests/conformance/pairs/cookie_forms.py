"""Every form of `Set-Cookie` in cookie_forms.jsonl: what is sent back."""

from pathlib import Path

from locust import FastHttpUser, HttpUser, task
from locust.exception import StopUser

FORMS = len((Path(__file__).parent.parent / "cookie_forms.jsonl").read_text().splitlines())
ASKED = ["set/two", "deep/er", "with%20space/x", "%C3%A4/x"]


def eat_all(user, jar):
    name = type(user).__name__
    for form in range(FORMS):
        for path in ["set/one", "set/last", *ASKED]:
            try:
                user.client.get(f"/{name}/{form}/{path}", name="forms")
            except ValueError:
                # Python's own parser may give up on a cookie; what comes next is asked all the same.
                pass
        jar.clear()
    raise StopUser()


class CookieFormsHttp(HttpUser):
    @task
    def once(self):
        eat_all(self, self.client.cookies)


class CookieFormsFast(FastHttpUser):
    @task
    def once(self):
        eat_all(self, self.client.cookiejar)
