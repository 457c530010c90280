"""What Python's own pools take for the same tasks: processes, for its threads do not
run in parallel. Prints one figure, in seconds.

    rivals.py imap CHUNK N       for each of N tiny tasks, Pool.imap_unordered
    rivals.py futures CHUNK N    the same, ProcessPoolExecutor.map
    rivals.py trip N             the median of N round trips, executor.submit
"""
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool

WORKERS = 2


def double(x):
    return x * 2


def imap(chunk, n):
    with Pool(WORKERS) as pool:
        pool.apply(double, (1,))
        begun = time.perf_counter()
        total = sum(pool.imap_unordered(double, range(1, n + 1), chunk))
        took = time.perf_counter() - begun
    assert total == n * (n + 1)
    return took / n


def futures(chunk, n):
    with ProcessPoolExecutor(WORKERS) as pool:
        pool.submit(double, 1).result()
        begun = time.perf_counter()
        total = sum(pool.map(double, range(1, n + 1), chunksize=chunk))
        took = time.perf_counter() - begun
    assert total == n * (n + 1)
    return took / n


def trip(n):
    times = []
    with ProcessPoolExecutor(WORKERS) as pool:
        pool.submit(double, 1).result()
        for i in range(n):
            begun = time.perf_counter()
            pool.submit(double, i).result()
            times.append(time.perf_counter() - begun)
    return statistics.median(times)


if __name__ == "__main__":
    question, *numbers = sys.argv[1:]
    print("%.9f" % {"imap": imap, "futures": futures, "trip": trip}[question](*map(int, numbers)))
