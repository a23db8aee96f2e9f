"""Asks the property() of a user's file what is wrong with the machine, and says it in one line (loongscope explore --property)."""

import json
import traceback

import gdb


def ask_property(path):
    """Prints `loongscope-property ` and what came of it as JSON: `told` (a text, or null), or `error`."""
    try:
        space = {"gdb": gdb, "__name__": "property", "__file__": path}
        with open(path, encoding="utf-8") as file:
            exec(compile(file.read(), path, "exec"), space)
        if not callable(space.get("property")):
            answer = {"error": "the file defines no function property()"}
        else:
            told = space["property"]()
            good = told is None or isinstance(told, str)
            answer = {"told": told} if good else {"error": "property() must return a text, or None when nothing is wrong"}
    except BaseException as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        where = f" in line {lines[-1]}" if lines else ""
        answer = {"error": f"{type(error).__name__}{where}: {error}"}
    print("\nloongscope-property " + json.dumps(answer), flush=True)
