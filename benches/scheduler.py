"""The graphs of `workflows/examples/overhead.rs` with other schedulers: asyncio and LangGraph.

    cargo build --release -p indago-workflows --example overhead
    python3 benches/scheduler.py target/release/examples/overhead 100 1000

Same graph, same simulated latencies, same number of calls at once, in one run: the peers first,
then the program's own rows. Without LangGraph in its interpreter the script sets up an environment
of its own under `.venv-scheduler` (with pip, from PyPI) and goes on in it.
"""

import asyncio, importlib.util, json, operator, os, resource, subprocess, sys, tempfile, time
from typing import Annotated, TypedDict


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def plain(graph):
    """asyncio: a task per call, a semaphore, first come first served."""
    slots = asyncio.Semaphore(graph["slots"])
    done = [asyncio.Event() for _ in graph["latency_us"]]

    async def call(i):
        for on in graph["after"][i]:
            await done[on].wait()
        async with slots:
            await asyncio.sleep(graph["latency_us"][i] / 1e6)
        done[i].set()

    await asyncio.gather(*(call(i) for i in range(len(done))))


async def state_graph(graph, saver=None):
    """LangGraph's StateGraph: a node per call, an edge per dependency."""
    from langgraph.graph import END, START, StateGraph

    class State(TypedDict):
        done: Annotated[list, operator.add]

    builder = StateGraph(State)

    def node(i):
        async def run(state):
            await asyncio.sleep(graph["latency_us"][i] / 1e6)
            return {"done": [i]}

        return run

    waited_for = {on for after in graph["after"] for on in after}
    for i, after in enumerate(graph["after"]):
        builder.add_node(f"n{i}", node(i))
        if not after:
            builder.add_edge(START, f"n{i}")
        else:
            builder.add_edge([f"n{on}" for on in after], f"n{i}")
        if i not in waited_for:
            builder.add_edge(f"n{i}", END)
    app = builder.compile(checkpointer=saver)
    config = {
        "max_concurrency": graph["slots"],
        "recursion_limit": 100_000,
        "configurable": {"thread_id": "1"},
    }
    result = await app.ainvoke({"done": []}, config)
    assert len(result["done"]) == len(graph["after"])


async def functional(graph, saver=None):
    """LangGraph's functional API: a task per call, started as soon as its dependencies are done."""
    from langgraph.func import entrypoint, task

    @task
    async def call(i):
        await asyncio.sleep(graph["latency_us"][i] / 1e6)
        return i

    @entrypoint(checkpointer=saver)
    async def run(_):
        slots = asyncio.Semaphore(graph["slots"])
        done = [asyncio.Event() for _ in graph["latency_us"]]

        async def one(i):
            for on in graph["after"][i]:
                await done[on].wait()
            async with slots:
                await call(i)
            done[i].set()

        await asyncio.gather(*(one(i) for i in range(len(done))))
        return len(done)

    config = {"configurable": {"thread_id": "1"}}
    assert await run.ainvoke("go", config) == len(graph["after"])


async def with_saver(run, graph):
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    with tempfile.TemporaryDirectory() as folder:
        async with AsyncSqliteSaver.from_conn_string(os.path.join(folder, "c.db")) as saver:
            began = time.perf_counter()
            await run(graph, saver)
            return time.perf_counter() - began


PACKAGES = ["langgraph==1.*", "langgraph-checkpoint-sqlite==3.*"]


def with_langgraph():
    """Goes on in an environment that has LangGraph, if this one has not."""
    if all(importlib.util.find_spec(name) for name in ("langgraph", "aiosqlite")):
        return
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".venv-scheduler")
    python = os.path.join(folder, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(folder):
        sys.exit(f"LangGraph is not in {folder}: delete it and try again")
    if not os.path.exists(python):
        subprocess.check_call([sys.executable, "-m", "venv", folder])
    subprocess.check_call([python, "-m", "pip", "install", "--quiet", *PACKAGES])
    os.execv(python, [python, *sys.argv])


def load():
    return " ".join(open("/proc/loadavg").read().split()[:3])


def main():
    with_langgraph()
    binary, sizes = sys.argv[1], sys.argv[2:] or ["100"]
    from importlib.metadata import version

    # Imports are no part of what is measured.
    import langgraph.checkpoint.sqlite.aio, langgraph.func, langgraph.graph  # noqa: F401

    print("langgraph", version("langgraph"), "python", sys.version.split()[0], "load", load())
    print("nodes scheduler wall/bound cpu_us/task")
    for size in sizes:
        graph = json.loads(subprocess.check_output([binary, "--graph", size]))
        runs = {
            "asyncio": lambda: plain(graph),
            "StateGraph": lambda: state_graph(graph),
            "functional": lambda: functional(graph),
            "StateGraph+sqlite": lambda: with_saver(state_graph, graph),
            "functional+sqlite": lambda: with_saver(functional, graph),
        }
        for name, run in runs.items():
            before, began = cpu(), time.perf_counter()
            try:
                wall = asyncio.run(run()) or time.perf_counter() - began
            except Exception as error:  # one that cannot run the graph is a result too
                print(size, name, "failed:", type(error).__name__, str(error)[:80])
                continue
            each = (cpu() - before) * 1e6 / int(size)
            print(f"{size} {name} {wall * 1e6 / graph['bound_us']:.3f} {each:.0f}", flush=True)
        print(subprocess.check_output([binary, size], text=True), "load", load(), flush=True)


main()
