"""tap-github beside a bare loop of `requests` over the same pages: requests a second, start-up subtracted.

Takes sizes; gives one line. The server is a process of its own on loopback with a fixed latency; both sides keep eight
requests under way, and the tap does everything that a run does: rows, STATE, reports.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from singerkit.testing.fake_api import Asked, FakeApi, Reply
from tap_github.loopback import repository
from tap_github.tap import TapGithub

LATENCY_S = 0.02
AT_ONCE = 8
_LIST = re.compile(r"/repos/octo/repo-(\d+)/(\w+)")
STREAMS = ("labels", "milestones", "releases", "branches")


def record(number: int) -> dict[str, Any]:
    """Return a record with the fields that these lists share, of a usual size."""
    text = "some words of a usual length " * 20
    at = "2026-01-01T00:00:00Z"
    return {"id": number, "number": number, "name": f"n-{number}", "body": text, "created_at": at, "updated_at": at}


def serve(repositories: int, pages: int) -> None:
    """Answer with full pages until nobody asks any more."""
    bodies = [json.dumps([record(page * 100 + n) for n in range(100)]).encode() for page in range(pages)]
    listed = json.dumps([repository(number, "octo", f"repo-{number}") for number in range(repositories)]).encode()

    def answer(asked: Asked) -> Reply:
        if not _LIST.match(asked.path):
            return Reply(listed if asked.path.endswith("/repos") else {"message": "Not Found"})
        page = int(asked.query.get("page", 1))
        more = f'<http://{asked.headers["host"]}{asked.path}?per_page=100&page={page + 1}>; rel="next"'
        return Reply(bodies[page - 1], headers={"Link": more} if page < pages else {})

    with FakeApi(latency_s=LATENCY_S) as api:
        api.route("/*", answer)
        sys.stdout.write(f"{api.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


def bare(url: str, repositories: int, pages: int) -> float:
    """Return the seconds of a loop that asks for the same pages, reads their JSON and does nothing with it."""
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=AT_ONCE))

    def walk(place: str) -> None:
        for page in range(1, pages + 1):
            session.get(f"{url}{place}?per_page=100&page={page}", headers={"Authorization": "Bearer t"}).json()

    places = [f"/repos/octo/repo-{number}/{stream}" for stream in STREAMS for number in range(repositories)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as crew:
        list(crew.map(walk, places))
    return time.perf_counter() - begun


def tap(url: str, folder: Path, *streams: str) -> float:
    """Return the seconds of a run of the executable."""
    config = {"auth_token": "t", "organizations": ["octo"], "base_url": url, "allow_private_hosts": True}
    catalog: dict[str, Any] = TapGithub(config=config).catalog_dict
    for entry in catalog["streams"]:
        root = next(one for one in entry["metadata"] if not one["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] in streams
    (folder / "config.json").write_text(json.dumps({**config, "concurrency": AT_ONCE}))
    (folder / "catalog.json").write_text(json.dumps(catalog))
    command = [sys.executable, "-m", "tap_github", "--config", str(folder / "config.json")]
    begun = time.perf_counter()
    with (folder / "out").open("w") as out:
        command += ["--catalog", str(folder / "catalog.json")]
        subprocess.run(command, stdout=out, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main() -> None:
    """Measure in interleaved rounds and say the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repositories", type=int, default=60)
    parser.add_argument("--pages", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    if given.serve:
        serve(given.repositories, given.pages)
        return
    size = ["--repositories", str(given.repositories), "--pages", str(given.pages)]
    command = [sys.executable, "-m", "bench.github", "--serve", *size]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        url = (server.stdout.readline() if server.stdout else "").strip()
        taken = [
            (
                bare(url, given.repositories, given.pages),
                tap(url, Path(folder), *STREAMS) - tap(url, Path(folder), "repositories"),
            )
            for _ in range(given.rounds)
        ]
        server.communicate()
    loop, ours = (statistics.median(one[side] for one in taken) for side in (0, 1))
    count = given.repositories * given.pages * len(STREAMS)
    print(f"{count} requests: bare loop {count / loop:.0f}/s, tap-github {count / ours:.0f}/s, {loop / ours:.0%}")


if __name__ == "__main__":
    main()
