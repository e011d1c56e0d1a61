"""REST to Singer and to Delta: requests a second beside a bare loop of `requests`, and records a second by pipe.

Takes the sizes; gives a table. The server is a process of its own on loopback with a fixed latency, start-up is
subtracted, and every run is checked to have given all records.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report import machine, write_section

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
PAGE = 1000  # records of a page in the walk
CONCURRENCY = 8
FIELDS = 20
PAGES = 4  # of each parent, in the fan-out with pages


def record(n: int) -> dict[str, Any]:
    """Return one record of 20 fields: ids, texts, numbers, truth values, moments."""
    return {
        "id": n,
        **{f"text_{k}": f"some text {n * k % 977} of a usual length" for k in range(6)},
        **{f"count_{k}": n * k % 1009 for k in range(5)},
        **{f"price_{k}": n % 1000 + 0.25 * k for k in range(4)},
        "active": n % 3 == 0,
        "deleted": n % 7 == 0,
        "created_at": f"2024-01-{n % 28 + 1:02}T{n % 24:02}:00:00Z",
        "updated_at": f"2025-01-{n % 28 + 1:02}T{n % 24:02}:00:00Z",
    }


def schema() -> dict[str, Any]:
    """Return the schema of `record`."""
    kinds = {int: "integer", float: "number", str: "string", bool: "boolean"}
    made: dict[str, Any] = {name: {"type": [kinds[type(v)], "null"]} for name, v in record(1).items()}
    for name in ("created_at", "updated_at"):
        made[name]["format"] = "date-time"
    return {"properties": made}


async def serve(latency_s: float, records: int) -> None:
    """Answer /parents (all ids), /parents/N/children (one record, PAGES pages where asked) and /records?page=N."""
    pages = [
        json.dumps([record(n) for n in range(start, min(start + PAGE, records))]).encode()
        for start in range(0, min(records, 10 * PAGE), PAGE)
    ] or [b"[]"]
    last = -(-records // PAGE)

    def body(path: str) -> bytes:
        if path.startswith("/records"):
            number = int(re.search(r"page=(\d+)", path)[1])  # type: ignore[index]  # always there
            if number > last:
                return b"[]"
            page = pages[number % len(pages)]  # with an id of its own: the tap stops at a page that comes again
            return b'[{"id": %d%s' % (number * PAGE, page[page.index(b",") :])
        if path.startswith("/parents/"):
            return b'[{"id": %s, "name": "a child"}]' % (path.partition("page=")[2] or "1").encode()
        count = int(re.search(r"n=(\d+)", path)[1])  # type: ignore[index]  # always there
        return json.dumps([{"id": n} for n in range(count)]).encode()

    def link(path: str) -> str:
        page = re.search(r"page=(\d+)", path) if path.startswith("/parents/") else None
        if page is None or int(page[1]) >= PAGES:
            return ""
        return f'Link: <{path.partition("?")[0]}?page={int(page[1]) + 1}>; rel="next"\r\n'

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(latency_s)
                path = head.split(b" ", 2)[1].decode()
                answer = body(path)
                length = f"Content-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
                writer.write(f"HTTP/1.1 200 OK\r\n{link(path)}{length}".encode() + answer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def server(latency_s: float, records: int = 0) -> Iterator[str]:
    """Run the server in a process of its own and yield its address."""
    command = [sys.executable, "-m", "bench.rest", "--serve", str(latency_s), str(records)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"  # type: ignore[union-attr]  # a pipe
    finally:
        process.kill()
        process.wait()


def bare_loop(url: str, count: int, pages: int) -> float:
    """Return the seconds that a pool of threads with one session takes to get and decode `count` lists of `pages`."""
    import requests

    with requests.Session() as session, ThreadPoolExecutor(CONCURRENCY) as pool:
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=CONCURRENCY)
        session.mount("http://", adapter)
        session.get(f"{url}/parents/0/children").json()

        def walk(parent: int) -> int:
            at = f"{url}/parents/{parent}/children"
            return len([session.get(f"{at}?page={page + 1}" if pages > 1 else at).json() for page in range(pages)])

        begun = time.perf_counter()
        asked = sum(pool.map(walk, range(count)))
    assert asked == count * pages
    return time.perf_counter() - begun


def tap(folder: Path, url: str, endpoints: list[dict[str, Any]], **more: Any) -> list[str]:
    """Return the command line of tap-rest for these endpoints."""
    config = folder / f"config-{time.monotonic_ns()}.json"
    settings = {"base_url": url, "endpoints": endpoints, "concurrency": CONCURRENCY, "allow_private_hosts": True}
    config.write_text(json.dumps({**settings, **more}))
    return [str(BIN / "tap-rest"), "--config", str(config)]


def fan_out(count: int, pages: int) -> list[dict[str, Any]]:
    """Return the rows of `count` parents with so many pages each."""
    ids = {"properties": {"id": {"type": "integer"}, "name": {"type": ["string", "null"]}}}
    parents = {"name": "parents", "path": "/parents", "params": {"n": count}, "keys": ["id"], "selected": False}
    children: dict[str, Any] = {
        "name": "children",
        "path": "/parents/{parent_id}/children",
        "keys": ["parent_id", "id"],
    }
    children |= {"params": {"page": 1}, "pages": {"style": "link"}} if pages > 1 else {}
    above = [{"stream": "parents", "params": {"parent_id": "id"}}]
    return [parents | {"schema": ids}, children | {"parents": above, "schema": ids}]


def walk() -> list[dict[str, Any]]:
    """Return the row of one long walk."""
    return [{"name": "records", "path": "/records", "pages": {"style": "page_number"}, "schema": schema()}]


def seconds(command: str) -> float:
    """Return how long a shell command takes."""
    begun = time.perf_counter()
    subprocess.run(command, shell=True, check=True, stderr=subprocess.DEVNULL)  # the pipe is the point
    return time.perf_counter() - begun


def requests_a_second(folder: Path, count: int, pages: int, rounds: int) -> tuple[float, float]:
    """Return the medians of the bare loop and of the tap, in requests a second, in interleaved rounds."""
    bare, ours = [], []
    with server(0.02) as url:

        def run(parents: int) -> float:
            return seconds(" ".join(tap(folder, url, fan_out(parents, pages))) + " > /dev/null")

        start = statistics.median(run(1) for _ in range(3))
        for _ in range(rounds):
            bare.append(count * pages / bare_loop(url, count, pages))
            ours.append(count * pages / (run(count) - start))
    return statistics.median(bare), statistics.median(ours)


def records_a_second(folder: Path, count: int, rounds: int, **more: Any) -> float:
    """Return the median of records a second by shell pipe into target-delta, start-up subtracted."""
    rates = []
    with server(0, count) as url, server(0, 1) as small:
        for number in range(rounds):
            taken: list[float] = []
            for where in (small, url):
                store = folder / f"warehouse-{number}-{len(taken)}"
                target = folder / "target.json"
                target.write_text(json.dumps({"path": str(store)}))
                pipe = " ".join(tap(folder, where, walk(), batch_dir=str(folder / "batches"), **more))
                taken.append(
                    seconds(
                        f"set -o pipefail; {pipe} | {BIN / 'target-delta'} --config {target} > /dev/null".join(
                            ["bash -c '", "'"]
                        )
                    )
                )
                if where == url:
                    _check(store / "records", count)
                shutil.rmtree(store)
            rates.append(count / (taken[1] - taken[0]))
    return statistics.median(rates)


def _check(table: Path, count: int) -> None:
    from deltalake import DeltaTable

    found = DeltaTable(str(table)).to_pyarrow_dataset().count_rows()
    if found != count:
        raise SystemExit(f"{table} holds {found} rows, not {count}")


def main() -> None:
    """Measure, print, and write the section where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=2, metavar=("LATENCY_S", "RECORDS"))
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="rewrite the section of the page of figures")
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(float(asked.serve[0]), int(asked.serve[1])))
    folder = Path(tempfile.mkdtemp(prefix="bench-rest-"))
    try:
        lines = _measure(folder, asked)
    finally:
        shutil.rmtree(folder)
    print("\n".join(lines))
    if asked.write:
        write_section("rest", "\n".join(lines))


def _measure(folder: Path, asked: argparse.Namespace) -> list[str]:
    lines = ["| what | figure |", "| --- | --- |"]
    for pages in (1, PAGES):
        parents = asked.requests // pages
        bare, ours = requests_a_second(folder, parents, pages, asked.rounds)
        what = f"{parents:,} lists of {pages} page{'s' * (pages > 1)}"
        lines += [f"| bare loop of requests, {what}, {CONCURRENCY} threads, 20 ms latency | {bare:,.0f} requests/s |"]
        lines += [f"| tap-rest, the same as a fan-out | {ours:,.0f} requests/s, {ours / bare:.0%} |"]
    for output in ("records", "batch"):
        rate = records_a_second(folder, asked.records, asked.rounds, output=output)
        lines += [
            f"| {asked.records:,} records of {FIELDS} fields into target-delta, {output} | {rate:,.0f} records/s |"
        ]
    return [*lines, "", machine("requests", "singer-sdk", "deltalake")]


if __name__ == "__main__":
    main()
