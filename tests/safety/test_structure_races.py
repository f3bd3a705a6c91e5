"""Threads that call all methods of one array, arena or ring at once. Without the GIL, a missing lock shows here."""

from __future__ import annotations

from tests.support.processes import run_python

# Each thread makes a fixed number of turns. The tests pass whether or not calls of two threads overlap.
START = """
import copy, pickle, random, sys, threading, vmem
sys.setswitchinterval(1e-5)
page = vmem.get_page_size()

def race(*works, turns=300):
    errors, start = [], threading.Barrier(len(works))
    def run(number, work):
        numbers = random.Random(number)
        try:
            start.wait()
            for turn in range(turns):
                work(numbers, turn)
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if errors:
        raise errors[0]

def unless_viewed(call, *arguments):
    try:
        return call(*arguments)
    except BufferError:
        return None
"""


def test_two_arrays_that_change_each_other() -> None:
    """Each is changed from the other at the same time: code that locks one and then the other would deadlock."""
    run_python(
        START
        + """
one, other = vmem.Array("q", [1] * 10, capacity=1 << 20), vmem.Array("q", [2] * 10, capacity=1 << 20)

def use(made, source):
    def work(numbers, turn):
        call = numbers.choice((
            lambda: made.extend(source),
            lambda: made.__iadd__(source),
            lambda: made.__setitem__(slice(3, 7), source),
            lambda: made.__setitem__(slice(None), source),
            lambda: made.extend(made),
            lambda: made.__setitem__(slice(2, 2), made),
            lambda: made.extend(memoryview(source)),
        ))
        if len(made) < 1000:  # it can be longer: views of the other threads keep it from shrinking
            unless_viewed(call)
        unless_viewed(made.__delitem__, slice(50, None))
        made == source, made < source, source != made
        for items in (made + source, made[::3], made * 2, copy.copy(made), pickle.loads(pickle.dumps(made))):
            assert set(items) <= {1, 2}, set(items)
    return work

race(*[use(one, other), use(other, one)] * 3)
assert set(one) | set(other) <= {1, 2}
assert len(one) < 1 << 20
        """
    )


def test_threads_that_own_items_of_an_array_that_others_resize() -> None:
    """Each of four threads writes a quarter of the first items; four others grow and shrink the array after these."""
    run_python(
        START
        + """
owned = 400
made = vmem.Array("i", [0] * owned, capacity=1 << 26)
whole = memoryview(made)

def own(number):
    mine = slice(number, owned, 4)
    def work(numbers, turn):
        for index in range(number, owned, 4):
            made[index] = turn
        assert made[mine].tolist() == [turn] * (owned // 4)
        made[mine] = vmem.Array("i", [turn + 1] * (owned // 4))
        assert whole[mine].tolist() == [turn + 1] * (owned // 4)
        whole[number] = -1
        assert made[number] == -1 and made.index(-1) < 4
    return work

def grow_and_shrink(numbers, turn):
    numbers.choice((
        lambda: made.append(7),
        lambda: made.extend([7] * 5),
        lambda: made.extend(iter([7] * 5)),
        lambda: made.frombytes(made[owned:].tobytes()),
        lambda: made.frombytes(bytes(3 * page)),
        lambda: made.insert(1 << 20, 7),
    ))()
    items = made.tolist()
    assert len(items) >= owned and set(items[owned:]) <= {0, 7}
    list(made), made.count(7), 7 in made, repr(made), made.tobytes()
    view = memoryview(made)
    view[-1], view.tolist()
    view.release()
    unless_viewed(made.__delitem__, slice(owned, None, numbers.choice((1, 2))))
    unless_viewed(made.shrink_to_fit)

race(own(0), own(1), own(2), own(3), *[grow_and_shrink] * 4, turns=60)
whole.release()
del made[owned:]
made.shrink_to_fit()
assert len(made) == owned
        """
    )


def test_threads_that_share_an_iterator_of_an_array_that_changes() -> None:
    run_python(
        START
        + """
made = vmem.Array("i", range(20000), capacity=1 << 20)
iterator, taken = iter(made), []

def take(numbers, turn):
    taken.extend([item for _, item in zip(range(50), iterator)])

def change(numbers, turn):
    made.append(20000 + turn)
    iterator.__reduce__(), iterator.__length_hint__()
    made.pop()

race(*[take] * 4, *[change] * 2, turns=200)
assert set(range(20000)) <= set(taken), len(taken)
        """
    )


def test_threads_that_allocate_from_and_rewind_one_arena() -> None:
    """Allocations keep their contents while views are alive: no thread can rewind below the views of another."""
    run_python(
        START
        + """
arena = vmem.Arena(1 << 28)

def unless_in_use(call, *arguments):
    try:
        call(*arguments)
    except (BufferError, ValueError):  # other threads have live views, or have rewound further
        pass

def work(number):
    byte = bytes([number + 1])
    def turn_of(numbers, turn):
        mark = arena.mark()
        views = []
        for _ in range(4):
            size = numbers.choice((1, 10, 100, page, 3 * page))
            view = unless_viewed(lambda: arena.alloc(size, align=numbers.choice((None, 1, 64, page))))
            if view is None:  # another thread is trimming a long range
                continue
            assert view == bytes(size)
            view[:] = byte * size
            views.append(view)
        unless_in_use(arena.trim)
        for view in views:
            assert view == byte * len(view)
        part = memoryview(byte)
        if views:
            part = views[0][:5]
        view = None
        views.clear()
        unless_in_use(arena.rewind, mark)
        assert part == byte * len(part)
        part.release()
        unless_in_use(leave_scope, byte)
        unless_in_use(arena.reset if turn % 3 else arena.trim)
        arena.used, arena.committed, repr(arena)
    return turn_of

def leave_scope(byte):
    with arena.scope():
        with arena.alloc(50) as view:
            view[:] = byte * 50
            assert view == byte * 50

race(*map(work, range(8)), turns=100)
arena.reset()
arena.trim()
assert (arena.used, arena.committed) == (0, 0)
        """
    )


def test_the_last_views_of_dropped_structures() -> None:
    """The thread that drops the last view releases the memory, whichever thread that is."""
    run_python(
        START
        + """
shared = [None] * 4

def work(numbers, turn):
    made, arena = vmem.Array("b", bytes(100), capacity=page), vmem.Arena(page)
    place = numbers.randrange(4)
    shared[place] = numbers.choice((memoryview(made), arena.alloc(100), made, arena, made[5:], iter(made)))
    other = shared[numbers.randrange(4)]
    if isinstance(other, memoryview):
        assert bytes(other) == bytes(100)
        other[50:60].tolist()
    elif isinstance(other, vmem.Array):
        memoryview(other).tolist()
    elif isinstance(other, vmem.Arena):
        other.scope(), repr(other), other.mark()

race(*[work] * 8)
        """
    )


def test_threads_that_write_and_read_one_ring() -> None:
    """Writers take turns by the ring's lock. None of the calls of the others goes wrong."""
    run_python(
        START
        + """
ring = vmem.Ring("q", 1000, row_shape=(2,))

def unless(call):
    try:
        return call()
    except (BufferError, ValueError, IndexError, RuntimeError):
        return None

def write(numbers, turn):
    number = numbers.randrange(1 << 40)
    unless(numbers.choice((
        lambda: ring.append((number, number)),
        lambda: ring.extend([(number, number)] * 5),
        lambda: ring.extend(memoryview(bytes(800)).cast("q", (50, 2))),
        lambda: ring.extend(ring.latest(min(len(ring), 3))),
        lambda: ring.extend(ring),
        lambda: ring.consume(min(len(ring), 1)),
        lambda: (ring.prepare(3), ring.advance(0)),
        ring.clear,
    )))

def read(numbers, turn):
    unless(lambda: list(ring))
    unless(lambda: ring[numbers.randrange(-20, 20)])
    oldest = ring.oldest
    assert 0 <= len(ring) <= 1000 and 0 <= ring.free <= 1000 and ring.total >= oldest
    for view in (unless(lambda: ring.latest(10)), unless(lambda: ring.window(oldest, 10))):
        assert view is None or len(view.tolist()) == 10
    memoryview(ring).tolist(), repr(ring), ring.map()

race(*[write] * 3, *[read] * 5, turns=200)
ring.clear()
ring.append((1, 2))
assert list(ring) == [(1, 2)]
        """
    )


def test_a_ring_that_one_thread_writes_and_others_read() -> None:
    """Whenever `oldest` has not passed a window, the window was right."""
    run_python(
        START
        + """
from array import array
ring = vmem.Ring("Q", 512)
blocks = [array("Q", range(start, start + 64)) for start in range(0, 64 * 1000, 64)]

def write(numbers, turn):
    for block in blocks[4 * turn : 4 * turn + 4]:
        ring.extend(block)

def read(numbers, turn):
    oldest = ring.oldest
    try:
        copied = ring.window(oldest, 16).tolist()
    except IndexError:
        return
    assert ring.oldest > oldest or copied == list(range(oldest, oldest + 16)), (oldest, copied)

race(write, read, read, read, turns=250)
assert ring.total == 64000 and list(ring) == list(range(63488, 64000))
        """
    )
