"""Walks through the server's answers and says what became of each: with the name of an answer comes the next one."""

import json

from locust.exception import StopUser

# The longest that an answer may keep a user waiting; some never end, and others take a busy machine seconds.
TIMEOUT_S = 6
# How much of a body and its text is compared.
SHOWN = 100


def walk(user, **timeout):
    seen = None
    while True:
        following = user.client.post("/next", json=seen, name="/next")
        if not following.text:
            raise StopUser()
        method, name = following.text.split(" ")
        marked = {"X-Answer": name}
        seen = {"name": name, "raised": None}
        try:
            ask = getattr(user.client, method.lower())
            response = ask(f"/answers/{name}", name=name, headers=marked, **timeout)
            seen |= observed(response)
        except Exception as error:
            seen["raised"] = repr(error)
        after = user.client.get(f"/after/{name}", name="/after", headers=marked, **timeout)
        seen["after"] = f"{after.status_code} {after.text}" if after.status_code else None


def observed(response):
    # FastHttpUser decodes again whenever it is asked, and fails again.
    content = attempt(lambda: response.content) or b""
    return {
        "status": response.status_code,
        "length": len(content),
        "content": content[:SHOWN].hex(),
        "text": shortened(attempt(lambda: response.text)) if content else "",
        "json": shortened(attempt(lambda: canonical(response.json()))) if content else None,
        "odd": header(response, "X-Odd"),
        "behind": header(response, "X-After"),
    }


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def attempt(read):
    try:
        return read()
    except Exception:
        return None


def shortened(text):
    # Halves of surrogate pairs are no text elsewhere.
    return text if text is None else text[:SHOWN].encode("utf-8", "replace").decode()


def header(response, name):
    value = response.headers.get(name) if response.headers else None
    return ", ".join(value) if isinstance(value, list) else value
