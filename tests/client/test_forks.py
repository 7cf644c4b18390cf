"""Children of a training: forked, spawned, ended at once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from client.conftest import Stored, ended
from serving import Server

Program = Callable[..., subprocess.Popen[str]]


def test_a_forked_child_writes_on_its_own(shared_server: Server, stored: Stored, program: Program, spool: Path) -> None:
    run_id = uuid4().hex
    text = f"""
    run = stepwell.init(id={run_id!r})
    for step in range(100):
        run.log({{"before": step}}, step=step)
    children = []
    for child in range(3):
        pid = os.fork()
        if not pid:
            for step in range(200):
                run.log({{f"child{{child}}": step}}, step=step)
            sys.exit(0)
        children.append(pid)
    for step in range(100, 200):
        run.log({{"before": step}}, step=step)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 3
    assert run.finish(), run.problems
    """
    ended(program(text, url=shared_server.url))
    assert stored.points(run_id, "before") == [(step, float(step)) for step in range(200)]
    for child in range(3):
        assert stored.points(run_id, f"child{child}") == [(step, float(step)) for step in range(200)]
    assert stored.run(run_id)["run"]["status"] == "FINISHED"
    assert list(spool.rglob("*")) == []


def test_a_child_that_ends_at_once_leaves_what_it_flushed(
    shared_server: Server, stored: Stored, program: Program
) -> None:
    run_id = uuid4().hex
    text = f"""
    run = stepwell.init(id={run_id!r})
    pid = os.fork()
    if not pid:
        for step in range(50):
            run.log({{"child": step}}, step=step)
        assert run.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    assert run.finish()
    """
    ended(program(text, url=shared_server.url))
    assert stored.points(run_id, "child") == [(step, float(step)) for step in range(50)]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_lose_nothing(
    shared_server: Server, stored: Stored, program: Program, method: str
) -> None:
    run_id = uuid4().hex
    text = f"""
    import multiprocessing

    def work(run, rank):
        for step in range(100):
            run.log({{f"rank{{rank}}": step}}, step=step)

    if __name__ == "__main__":
        run = stepwell.init(id={run_id!r})
        context = multiprocessing.get_context({method!r})
        workers = [context.Process(target=work, args=(run, rank)) for rank in range(2)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
            assert each.exitcode == 0
        assert run.finish(), run.problems
    """
    ended(program(text, url=shared_server.url))
    for rank in range(2):
        assert stored.points(run_id, f"rank{rank}") == [(step, float(step)) for step in range(100)]
    assert stored.run(run_id)["run"]["status"] == "FINISHED"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize(("ending", "status"), [("pass", "FINISHED"), ("raise ValueError('no')", "FAILED")])
def test_a_run_that_a_worker_begins_and_nobody_ends_ends_with_the_worker(
    shared_server: Server, stored: Stored, program: Program, method: str, ending: str, status: str
) -> None:
    run_id = uuid4().hex
    text = f"""
    import multiprocessing

    def train():
        run = stepwell.init(id={run_id!r})
        for step in range(100):
            run.log({{"loss": step}}, step=step)
        {ending}

    if __name__ == "__main__":
        worker = multiprocessing.get_context({method!r}).Process(target=train)
        worker.start()
        worker.join()
    """
    ended(program(text, url=shared_server.url))
    assert stored.run(run_id)["run"]["status"] == status
    assert stored.points(run_id, "loss") == [(step, float(step)) for step in range(100)]


def test_the_tasks_of_a_pool_share_a_run_and_lose_nothing(
    shared_server: Server, stored: Stored, program: Program, spool: Path
) -> None:
    run_id = uuid4().hex
    text = f"""
    import multiprocessing, threading

    def work(run, step):
        run.log({{"loss": step}}, step=step)
        return threading.active_count(), len(os.listdir(sys.argv[1]))

    if __name__ == "__main__":
        run = stepwell.init(id={run_id!r}, system=0)
        run.flush()
        pool = multiprocessing.get_context("spawn").Pool(2)
        seen = pool.starmap(work, [(run, step) for step in range(30)], chunksize=1)
        pool.close()
        pool.join()
        assert run.finish(), run.problems
        assert max(threads for threads, _ in seen) == 2, seen
        assert max(processes for _, processes in seen) <= 3, seen
    """
    ended(program(text, str(spool / run_id), url=shared_server.url))
    assert stored.points(run_id, "loss") == [(step, float(step)) for step in range(30)]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool_that_is_ended_with_its_last_task_loses_nothing(
    shared_server: Server, stored: Stored, program: Program, spool: Path, method: str
) -> None:
    run_id = uuid4().hex
    text = f"""
    import multiprocessing

    def work(run, step):
        run.log({{"loss": step}}, step=step)
        run.change(tags={{f"t{{step}}": "x"}})

    if __name__ == "__main__":
        run = stepwell.init(id={run_id!r}, system=0)
        with multiprocessing.get_context({method!r}).Pool(2) as pool:  # which kills its workers at the end
            pool.starmap(work, [(run, step) for step in range(30)], chunksize=1)
        assert run.finish(), run.problems
    """
    ended(program(text, url=shared_server.url))
    assert stored.points(run_id, "loss") == [(step, float(step)) for step in range(30)]
    assert {f"t{step}" for step in range(30)} <= set(stored.run(run_id)["tags"])
    assert [path for path in spool.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_an_executor_lose_nothing(
    shared_server: Server, stored: Stored, program: Program, method: str
) -> None:
    run_id = uuid4().hex
    text = f"""
    import concurrent.futures, multiprocessing

    def begin(given):
        global run
        run = given

    def work(step):
        run.log({{"loss": step}}, step=step)

    if __name__ == "__main__":
        mine = stepwell.init(id={run_id!r}, system=0)
        context = multiprocessing.get_context({method!r})
        with concurrent.futures.ProcessPoolExecutor(2, context, begin, (mine,)) as pool:
            list(pool.map(work, range(30)))
        assert mine.finish(), mine.problems
    """
    ended(program(text, url=shared_server.url))
    assert stored.points(run_id, "loss") == [(step, float(step)) for step in range(30)]


def test_threads_and_signals_of_a_pool_s_process_log_beside_each_other(
    shared_server: Server, stored: Stored, program: Program
) -> None:
    run_id = uuid4().hex
    text = f"""
    import multiprocessing, signal, threading

    def work(run):
        heard = []

        def hear(*_):
            heard.append(1)
            run.log({{"signal": len(heard), "odd": "text"}}, step=len(heard))

        def log(name):
            for step in range(300):
                run.log({{name: step, "odd": "text"}}, step=step)

        run.log({{"begin": 1.0}}, step=0)
        signal.signal(signal.SIGALRM, hear)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        threads = [threading.Thread(target=log, args=(f"t{{at}}",)) for at in range(2)]
        for each in threads:
            each.start()
        log("main")
        for each in threads:
            each.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        run.log({{"end": 1.0}}, step=0)
        return len(heard)

    if __name__ == "__main__":
        run = stepwell.init(id={run_id!r}, system=0)
        with multiprocessing.Pool(1) as pool:
            print(pool.apply(work, (run,)))
        assert run.finish(), run.problems
    """
    heard = int(ended(program(text, url=shared_server.url)))
    assert heard
    assert stored.points(run_id, "signal") == [(at, float(at)) for at in range(1, heard + 1)]
    for name in ("t0", "t1", "main"):
        assert stored.points(run_id, name) == [(step, float(step)) for step in range(300)]


def test_forks_while_threads_log_hang_nowhere(shared_server: Server, stored: Stored, program: Program) -> None:
    run_id = uuid4().hex
    text = f"""
    import threading

    run = stepwell.init(id={run_id!r})
    over = threading.Event()

    def log_on(name):
        step = 0
        while not over.is_set():
            run.log({{name: step, "odd": "text"}}, step=step)
            step += 1
            time.sleep(0.0002)

    threads = [threading.Thread(target=log_on, args=(f"t{{i}}",)) for i in range(2)]
    for each in threads:
        each.start()
    for child in range(20):
        pid = os.fork()
        if not pid:
            run.log({{"child": child}}, step=child)
            run.flush()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    over.set()
    for each in threads:
        each.join()
    assert run.finish(), run.problems
    """
    ended(program(text, url=shared_server.url))
    assert stored.points(run_id, "child") == [(child, float(child)) for child in range(20)]
    for name in ("t0", "t1"):
        found = stored.points(run_id, name)
        assert found == [(step, float(step)) for step in range(len(found))]


def test_ctrl_c_ends_the_run_as_killed(shared_server: Server, stored: Stored, program: Program) -> None:
    import signal

    run_id = uuid4().hex
    text = f"""
    run = stepwell.init(id={run_id!r})
    run.log({{"loss": 1.0}}, step=0)
    print("ready", flush=True)
    time.sleep(60)
    """
    process = program(text, url=shared_server.url)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert stored.run(run_id)["run"]["status"] == "KILLED"
    assert stored.points(run_id, "loss") == [(0, 1.0)]
