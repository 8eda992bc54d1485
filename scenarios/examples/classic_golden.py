"""Makes classic_golden.txt with the real Locust: each task of classic_locustfile.py once, against a
server that answers by classic_routes.txt.

    python3 -m venv venv && venv/bin/pip install locust==2.47.0
    venv/bin/python classic_golden.py > classic_golden.txt

Each line: `<` what the server saw (method, target, cookie, body), `>` what Locust recorded (method,
name, failure text without the exception's name around it), `!` that the task raised an exception.
"""

import pathlib
import re

from locust.env import Environment  # first: it makes sockets cooperative
import classic_locustfile
import gevent.server

HERE = pathlib.Path(__file__).parent
ROUTES = {}
for line in (HERE / "classic_routes.txt").read_text().splitlines():
    if line and not line.startswith("#"):
        head, headers, body = (part.strip() for part in line.split("|"))
        method, target, status = head.split(" ", 2)
        ROUTES[method, target] = (status, headers, body)


def serve(socket, _):
    stream = socket.makefile("rwb")
    while line := stream.readline():
        method, target, _version = line.decode().split()
        headers = {}
        while (line := stream.readline()).strip():
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0))).decode()
        cookie = headers.get("cookie", "-")
        print(f"  < {method} {target} cookie {cookie} body {body or '-'}")
        status, extra, answer = ROUTES[method, target]
        extra = extra + "\r\n" if extra else ""
        length = "" if status.startswith("204") else f"content-length: {len(answer)}\r\n"
        stream.write(f"HTTP/1.1 {status}\r\n{length}{extra}\r\n{answer}".encode())
        stream.flush()


def recorded(request_type, name, exception, **_):
    line = f"  > {request_type} {name}"
    if exception:
        text = re.sub(r"^\w+\('(.*)'\)$", r"\1", repr(exception))
        line += f" -> {text}"
    print(line)


server = gevent.server.StreamServer(("127.0.0.1", 0), serve)
server.start()
environment = Environment()
environment.events.request.add_listener(recorded)
for user_class in (classic_locustfile.Visitor, classic_locustfile.Editor):
    user_class.host = f"http://127.0.0.1:{server.server_port}"
    user = user_class(environment)
    own = vars(user_class)
    tasks = list(dict.fromkeys(task.__name__ for task in user_class.tasks))
    for name in ["on_start"] * ("on_start" in own) + tasks + ["on_stop"] * ("on_stop" in own):
        print(f"{user_class.__name__}::{name}")
        try:
            getattr(user, name)()
        except Exception:
            print("  !")
