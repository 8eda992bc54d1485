"""Prints every option of Locust's with its variable, and every LOCUST_ variable that its source names, as JSON."""

import json
import re
from pathlib import Path

import locust
from locust.argument_parser import get_parser

parser = get_parser(default_config_files=[])
options = [
    {"flags": action.option_strings, "variable": getattr(action, "env_var", None)}
    for action in parser._actions
    if action.option_strings
]
source = "".join(path.read_text() for path in Path(locust.__file__).parent.rglob("*.py"))
variables = sorted(set(re.findall(r"[\"'](LOCUST_[A-Z0-9_]+)[\"']", source)))
print(json.dumps({"options": options, "variables": variables}))
