"""Threads over the batch: same answer, same order, no deadlock within a worker or after a fork."""

import signal
import threading
import time

import pytest
import torch

import structpred as sp
import structpred._threads
from structpred._threads import fill_rows, map_chunks, threads_for_all
from tests.forks import needs_fork, status_of_forked_child

ROWS = torch.arange(24.0).reshape(12, 2)


@pytest.fixture(autouse=True)
def _restore_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 12])
def test_chunks_come_back_in_order(threads, rows):
    torch.set_num_threads(threads)
    assert torch.equal(map_chunks(lambda chunk: 2 * chunk, ROWS[:rows]), 2 * ROWS[:rows])


def test_every_row_is_solved_once_and_by_a_worker():
    torch.set_num_threads(2)
    seen = []

    def record(chunk):
        seen.append((threading.current_thread().name, chunk[:, 0].tolist()))
        return chunk

    map_chunks(record, ROWS)
    assert sorted(value for _, values in seen for value in values) == ROWS[:, 0].tolist()
    assert len(seen) > 2  # more chunks than threads, so that a hard one does not keep the other thread idle
    assert all(name.startswith("structpred") for name, _ in seen)


def test_two_threads_run_at_the_same_time():
    torch.set_num_threads(2)
    both_here = threading.Barrier(2, timeout=30)  # breaks, and so raises, if a chunk waits for the other

    def meet(chunk):
        both_here.wait()
        return chunk

    assert torch.equal(map_chunks(meet, ROWS[:2]), ROWS[:2])


@pytest.mark.parametrize(("threads", "rows"), [(1, 12), (3, 1)])
def test_where_there_is_nothing_to_share_the_caller_does_all_at_once(threads, rows):
    torch.set_num_threads(threads)
    seen = []

    def record(chunk):
        seen.append((threading.current_thread(), len(chunk)))
        return chunk

    map_chunks(record, ROWS[:rows])
    assert seen == [(threading.current_thread(), rows)]


def test_the_number_of_threads_is_read_at_each_call():
    def workers_used(threads):
        torch.set_num_threads(threads)
        return map_chunks(lambda chunk: torch.full((len(chunk),), threading.get_ident()), ROWS)

    assert workers_used(1).eq(threading.get_ident()).all()
    assert workers_used(2).ne(threading.get_ident()).all()
    assert workers_used(1).eq(threading.get_ident()).all()


def test_an_error_in_a_worker_reaches_the_caller_and_the_next_call_works():
    torch.set_num_threads(2)

    def fail_on_the_last(chunk):
        if chunk[-1, 0] == ROWS[-1, 0]:
            raise ZeroDivisionError("the last row")
        return chunk

    with pytest.raises(ZeroDivisionError, match="the last row"):
        map_chunks(fail_on_the_last, ROWS)
    assert torch.equal(map_chunks(lambda chunk: chunk, ROWS), ROWS)


def test_where_it_can_be_interrupted_even_one_thread_is_a_workers():
    """Or Python would see Ctrl-C only after the last step of it."""
    torch.set_num_threads(1)
    seen = []

    def record(chunk):
        seen.append((threading.current_thread(), len(chunk)))
        return chunk

    map_chunks(record, ROWS, interrupt=lambda: None)
    ((thread, rows),) = seen
    assert thread is not threading.current_thread()
    assert rows == len(ROWS)


def test_an_error_interrupts_what_runs_and_cancels_what_has_not_begun():
    torch.set_num_threads(2)
    stopped, both_here, begun = threading.Event(), threading.Barrier(2, timeout=30), []

    def fail_in_one(chunk):
        begun.append(chunk)
        if len(begun) <= 2 and both_here.wait() == 0:
            raise ZeroDivisionError
        assert stopped.wait(30)
        return chunk

    with pytest.raises(ZeroDivisionError):
        map_chunks(fail_in_one, ROWS, interrupt=stopped.set)
    assert len(begun) <= 3  # of 8: the two, and what the worker of the failed one took until it was canceled


def test_the_next_call_does_not_wait_for_what_could_not_be_ended():
    released, busy = threading.Event(), []

    def fail_and_stay_busy(chunk):
        busy.append(threading.current_thread())
        assert released.wait(30)
        return chunk

    def interrupt_it():
        while not busy:
            pass
        signal.raise_signal(signal.SIGINT)

    torch.set_num_threads(2)
    found = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    with pytest.raises(KeyboardInterrupt):
        map_chunks(
            lambda chunk: interrupt_it() if chunk[0, 0] else fail_and_stay_busy(chunk), ROWS[:2], interrupt=lambda: None
        )
    assert torch.equal(map_chunks(lambda chunk: chunk, ROWS), ROWS)
    assert busy[0].is_alive()
    assert busy[0].daemon  # nor does the end of the process
    released.set()
    busy[0].join(30)
    assert not busy[0].is_alive()  # its pool is garbage
    signal.signal(signal.SIGINT, found)


@needs_fork
def test_nested_use_within_a_worker_does_not_wait_for_its_own_pool():
    torch.set_num_threads(2)

    def nested():
        inner = lambda chunk: map_chunks(lambda rows: rows + 1, chunk)  # noqa: E731
        return torch.equal(map_chunks(inner, ROWS), ROWS + 1)

    assert status_of_forked_child(nested) == 0  # in a child, so that a deadlock fails the test instead of hanging it


@needs_fork
def test_a_forked_child_solves_after_its_parent_has_used_the_pool():
    torch.set_num_threads(2)
    space = sp.Matching(4)
    scores = torch.randn(16, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = space.argmax(scores)
    assert status_of_forked_child(lambda: torch.equal(space.argmax(scores), expected)) == 0
    assert torch.equal(space.argmax(scores), expected)  # and the parent's pool still works


# --- rows, in threads where that is worth while


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("rows", [1, 2, 3, 12])
@pytest.mark.parametrize("seconds", [0.0, 2e-3])
def test_every_row_is_filled_once(threads, rows, seconds):
    torch.set_num_threads(threads)
    answers, seen = torch.full((rows, 2), -1.0), []

    def solve(chunk):
        time.sleep(seconds)
        seen.extend(chunk[:, 0].tolist())
        return 2 * chunk

    fill_rows(lambda some: solve(ROWS[:rows][some]), answers)
    assert torch.equal(answers, 2 * ROWS[:rows])
    assert sorted(seen) == ROWS[:rows, 0].tolist()


def test_rows_solved_first_and_those_left_to_threads_are_each_filled_once(monkeypatch):
    """With a clock that says 0.1 ms a row: five more than the first one are tried, and the rest is worth threads."""

    def seconds(fill, start, stop):
        fill(slice(start, stop))
        return 1e-4 * (stop - start)

    monkeypatch.setattr("structpred._threads._seconds", seconds)
    torch.set_num_threads(2)
    rows = torch.arange(100.0)[:, None]
    answers, seen = torch.full_like(rows, -1.0), []

    def solve(chunk):
        seen.extend(chunk[:, 0].tolist())
        return 2 * chunk

    fill_rows(lambda some: solve(rows[some]), answers)
    assert torch.equal(answers, 2 * rows)
    assert sorted(seen) == rows[:, 0].tolist()


def solved_by(monkeypatch, seconds_to_wake_threads):
    """The threads that fill 12 rows, each of which takes no time to speak of."""
    monkeypatch.setattr("structpred._threads._seconds_to_wake_threads", seconds_to_wake_threads)
    torch.set_num_threads(2)
    threads = set()

    def solve(chunk):
        threads.add(threading.current_thread())
        return chunk

    fill_rows(lambda rows: solve(ROWS[rows]), torch.empty_like(ROWS))
    return threads


def test_threads_are_woken_only_where_the_rest_takes_longer(monkeypatch):
    assert solved_by(monkeypatch, 1e6) == {threading.current_thread()}
    assert solved_by(monkeypatch, 0.0) - {threading.current_thread()}


def test_threads_can_be_had_for_all(monkeypatch):
    monkeypatch.setattr("structpred._threads._seconds_to_wake_threads", 1e6)
    with threads_for_all():
        assert structpred._threads._seconds_to_wake_threads == 0
    assert structpred._threads._seconds_to_wake_threads == 1e6


def test_answers_of_another_type_are_converted():
    answers = torch.empty(12, 2, dtype=torch.float64)
    fill_rows(lambda rows: ROWS[rows] > 3, answers)
    assert torch.equal(answers, (ROWS > 3).double())
