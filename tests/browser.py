"""A headless Chromium for tests of pages, driven by its DevTools protocol over a pipe."""

import fcntl
import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from programs import find_program

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60  # that an answer may take
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--mute-audio",
    "--no-first-run",
    "--remote-debugging-pipe",
    "about:blank",
)


class Page:
    """One open page."""

    def __init__(self, reading: int, writing: int) -> None:
        self.complaints: list[str] = []  # errors and warnings of its console, and exceptions
        self._reading, self._writing = reading, writing
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self._number, self._session = 0, ""
        threading.Thread(target=self._read, daemon=True).start()
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        attached = self.command("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")

    def open(self, path: Path) -> float:
        """Open a file and wait until it is loaded; the seconds that this takes."""
        started = time.perf_counter()
        self.command("Page.navigate", url=path.as_uri())
        self._wait(lambda message: message.get("method") == "Page.loadEventFired")
        return time.perf_counter() - started

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, a promise waited for; as if a user did it."""
        answer = self.command(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def type(self, selector: str, text: str) -> None:
        """Put a text into a field, as typing does."""
        self.run(
            f"(field => {{ field.value = {json.dumps(text)};"
            "field.dispatchEvent(new Event('input', {bubbles: true})); })"
            f"(document.querySelector({json.dumps(selector)}))"
        )

    def click(self, selector: str) -> None:
        """Click on the first element of a selector, with the mouse, in its middle."""
        x, y = self.run(
            f"(found => {{ found.scrollIntoView({{block: 'center'}});"
            "const box = found.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.command(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements of a selector."""
        found = f"[...document.querySelectorAll({json.dumps(selector)})]"
        texts: list[str] = self.run(f"{found}.map(one => one.textContent.trim())")
        return texts

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the protocol and wait for the answer."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        answer = self._wait(lambda message: message.get("id") == number)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _wait(self, wanted: Any) -> dict[str, Any]:
        while True:
            message = self._messages.get(timeout=_SECONDS)
            self._hear(message)
            if wanted(message):
                return message

    def _hear(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                self.complaints.append(json.dumps(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                self.complaints.append(told["entry"]["text"])

    def _read(self) -> None:
        rest = b""
        while part := os.read(self._reading, 65536):
            *whole, rest = (rest + part).split(b"\0")
            for message in whole:
                self._messages.put(json.loads(message))


def find_browser() -> str:
    """Where Chromium is, or Google's browser made of it; see `find_program` for neither."""
    return find_program(BROWSERS, "chromium")


@contextmanager
def open_browser(profile: Path) -> Iterator[Page]:
    """A browser with an empty page."""
    browser = find_browser()
    commands, answers = os.pipe(), os.pipe()
    # Chromium reads from 3 and writes to 4; these are above, so that none overwrites another.
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands[0], answers[1])]

    def connect() -> None:
        os.dup2(theirs[0], 3)
        os.dup2(theirs[1], 4)

    process = subprocess.Popen(
        [browser, f"--user-data-dir={profile}", *_OPTIONS],
        preexec_fn=connect,
        pass_fds=(3, 4),
        stderr=subprocess.DEVNULL,
    )
    for end in (*theirs, commands[0], answers[1]):
        os.close(end)
    try:
        page = Page(answers[0], commands[1])
        yield page
        page._session = ""
        page.command("Browser.close")
        process.wait(_SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(commands[1])  # the reader closes with the pipe: its thread may still be in it
