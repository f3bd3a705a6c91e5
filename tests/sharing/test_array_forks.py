"""A forked child of the process that made a shared array: it reads, and nothing that it has reaches the parent."""

from __future__ import annotations

import pytest

from tests.support.marks import linux_only, needs_shared_memory, posix_only
from tests.support.processes import run_python
from tests.support.system import lockable_bytes

pytestmark = [needs_shared_memory, posix_only]

FORK = """
    import ctypes, gc, os, sys, vmem

    def in_child(check):
        child = os.fork()
        if child == 0:
            try:
                check()
            except BaseException as error:
                print("child:", type(error), error, error.__traceback__.tb_next.tb_lineno, flush=True)
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def refuses(call, kind=TypeError, text="read-only"):
        try:
            call()
        except kind as error:
            assert text in str(error), error
        else:
            raise AssertionError("it was not refused")

    page = vmem.get_page_size()
    array = vmem.Array("d", range(page), shared=True)
    expected = list(range(page))
"""


def run_forking(code: str) -> None:
    run_python(FORK + code)


def test_the_child_reads_and_the_parent_writes_on() -> None:
    run_forking(
        """
    reader = vmem.attach(array.fileno())
    (receiver, sender), (ready, begin) = os.pipe(), os.pipe()

    def check():
        assert array.readonly and reader.readonly
        assert array.typecode == "d" and array.capacity == reader.capacity
        assert array.tolist() == reader.tolist() == expected
        for call in (lambda: array.append(1), lambda: array.__setitem__(0, 1), lambda: array.pop(),
                     lambda: array.extend([]), lambda: array.frombytes(bytes(8 << 20)), lambda: array.prefault(1)):
            refuses(call)
        assert memoryview(array).readonly
        os.close(sender)  # or else it would wait for a parent that has failed
        os.write(begin, b"x")
        os.read(receiver, 1)
        assert array[-1] == reader[-1] == 5.0 and len(array) == page + 100_001
        assert array[0] == 7.0
        assert array.map().used == 8 * len(array)

    child = os.fork()
    if child == 0:
        try:
            check()
            os._exit(0)
        finally:
            os._exit(1)
    os.read(ready, 1)
    array.extend(range(100_000))
    array.append(5.0)
    array[0] = 7.0
    os.write(sender, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    )


def test_views_from_before_the_fork() -> None:
    """They stay valid and writable in the child, and what is written there stays there."""
    run_forking(
        """
    view, part = memoryview(array), memoryview(array)[5:7]
    pointer = ctypes.POINTER(ctypes.c_double).from_buffer(ctypes.c_void_p(array.buffer_info()[0]))
    def check():
        assert not view.readonly
        view[0] = view[page - 1] = part[0] = -1.0
        pointer[1] = -2.0
        assert view.tolist() == [-1.0, -2.0, 2.0, 3.0, 4.0, -1.0] + expected[6:-1] + [-1.0]
        assert array.tolist() == expected
        assert vmem.attach(array.fileno()).tolist() == expected
        view.release()
        assert part[0] == -1.0
    in_child(check)
    assert array.tolist() == view.tolist() == expected
    """
    )


def test_numpy_arrays_that_keep_only_a_pointer() -> None:
    pytest.importorskip("numpy")
    run_forking(
        """
    import numpy as np
    numbers, kept = np.asarray(array), np.ndarray(page, buffer=array)
    def check():
        global array
        numbers[0] = kept[1] = -1.0
        assert numbers[0] == kept[0] == -1.0 and array[0] == 0.0
        array = None
        gc.collect()
        assert numbers.sum() == kept.sum() == sum(expected) - 3
    in_child(check)
    assert (numbers == expected).all()
    """
    )


def test_consumers_that_outlive_the_array() -> None:
    """The array is gone, and its memory is left to who holds it. What the child writes there stays there."""
    run_forking(
        """
    import numpy as np
    reader = vmem.attach(array.fileno())
    address = array.map().address
    consumers = [np.from_dlpack(array), np.from_dlpack(array)]
    array.extend(range(100 * page))
    pointer = ctypes.POINTER(ctypes.c_double).from_buffer(ctypes.c_void_p(address))
    del array
    ended = vmem.Array("d", [1.0], shared=True)
    gone = np.from_dlpack(ended)
    del ended, gone
    others = [np.from_dlpack(vmem.Array("d", [float(number)], shared=True)) for number in range(50)]
    others = others[::2]
    def check():
        pointer[0] = pointer[page - 1] = -1.0
        assert consumers[0].tolist() == consumers[1].tolist() == [-1.0, *expected[1:-1], -1.0]
        assert reader[:page].tolist() == expected
        assert [each[0] for each in others] == list(range(0, 50, 2))
        def check_again():
            pointer[0] = -2.0
            consumers.clear()
        in_child(check_again)
        assert consumers[0][0] == -1.0
        consumers.clear()
        others.clear()
    in_child(check)
    assert reader[:page].tolist() == consumers[0].tolist() == expected
    pointer[1] = 5.0
    assert reader[1] == 5.0
    consumers.clear()
    others.clear()
    in_child(lambda: None)
    """
    )


@linux_only
def test_what_the_kernel_allows_in_the_child_when_the_array_is_gone() -> None:
    run_forking(
        """
    import numpy as np
    from tests.support.system import permissions_in
    consumer = np.from_dlpack(array)
    array.extend(range(100 * page))
    address, size = array.map().address, array.map().size
    del array
    shown = 8 * page
    def check():
        assert permissions_in(address, size) == [(0, shown, "rw-p"), (shown, size, "---s")]
        global consumer
        del consumer
        assert permissions_in(address, size) == []
    in_child(check)
    del consumer
    assert permissions_in(address, size) == []
    """
    )


@linux_only
def test_what_the_kernel_allows_in_the_child() -> None:
    run_forking(
        """
    from tests.support.system import permissions_in
    array.extend(range(10 * page))
    view = memoryview(array)[: page // 8]
    array.extend(range(100 * page))
    old, size = array.buffer_info()[0], array.map().size
    exported = 8 * len(array)  # buffer_info() gave the address away
    array.prefault(300 * page)
    def check():
        assert permissions_in(old, size) == [(0, exported, "rw-p"), (exported, size, "---s")]
        new = array.buffer_info()[0]
        assert new != old and permissions_in(new, size) == [(0, size, "r--s")]
    in_child(check)
    """
    )


@linux_only
def test_nothing_that_was_not_shown_stays() -> None:
    run_forking(
        """
    from tests.support.system import permissions_in
    address, size = array.map().address, array.map().size
    def check():
        assert permissions_in(address, size) == [(0, size, "---s")]
    in_child(check)
    """
    )


def test_children_of_children() -> None:
    run_forking(
        """
    view = memoryview(array)
    def check():
        view[0] = -1.0
        def check_again():
            assert array.readonly and array.tolist() == expected and view[0] == -1.0
            view[0] = -2.0
            refuses(lambda: array.append(1))
        in_child(check_again)
        assert view[0] == -1.0
    in_child(check)
    assert view[0] == 0.0
    """
    )


@linux_only
def test_descriptors_keep_their_numbers() -> None:
    run_forking(
        """
    number, before = array.fileno(), set(os.listdir("/proc/self/fd"))
    def check():
        assert array.fileno() == number
        assert vmem.attach(number).tolist() == expected
        assert set(os.listdir("/proc/self/fd")) == before
    in_child(check)
    """
    )


@linux_only
def test_nothing_is_left_in_the_child() -> None:
    run_forking(
        """
    def count():
        gc.collect()
        with open("/proc/self/maps") as file:
            return sum("memfd:" in line for line in file), len(os.listdir("/proc/self/fd"))

    del array
    before = count()
    many = [vmem.Array("d", [1.0], shared=True) for _ in range(20)]
    readers = [vmem.attach(each.fileno()) for each in many]
    views = [memoryview(each) for each in many]
    def check():
        assert all(view[0] == each[0] for view, each in zip(views, many))
        views.clear()
        many.clear()
        readers.clear()
        assert count() == before, (count(), before)
    in_child(check)
    """
    )


def test_arrays_made_in_the_child_are_its_own() -> None:
    run_forking(
        """
    def check():
        own = vmem.Array("d", array, shared=True)
        own.append(1.0)
        assert not own.readonly and own.tolist() == [*expected, 1.0]
        def check_again():
            assert own.readonly and array.readonly
        in_child(check_again)
        own.append(2.0)
    in_child(check)
    """
    )


def test_what_the_parent_dropped_or_left_to_a_cycle() -> None:
    run_forking(
        """
    class Node(vmem.Array):
        pass
    for _ in range(3):
        node = Node("d", [1.0], shared=True)
        node.itself, node.view = node, memoryview(node)
    del node
    def check():
        gc.collect()
        assert array.readonly
    in_child(check)
    in_child(check)
    """
    )


# --- forks in the middle of calls ---


@pytest.mark.parametrize(
    "call",
    [
        "array.append(Forking())",
        "array.extend([Forking()])",
        "array.fromlist([Forking()])",
        "array.extend(forking())",
        "array.__setitem__(0, Forking())",
        "array.__setitem__(Forking(), 5.0)",
        "array.insert(0, Forking())",
        "array.pop(Forking())",
        "array.fromfile(Forking(), 1)",
        "array.prefault(Forking(1))",
        "array.lock(Forking(1))",
        "array.__imul__(Forking())",
        "array.__setitem__(slice(Forking(), 1), vmem.Array('d', [5.0]))",
        "array.__delitem__(slice(Forking(), 1))",
    ],
)
def test_a_call_that_forks_changes_nothing_in_the_child(call: str) -> None:
    """The arguments fork while they are converted. The child goes on with the call of a reader."""
    run_forking(
        f"""
    view = memoryview(array)
    in_the_child = False

    def fork():
        global in_the_child
        if not in_the_child:
            in_the_child = (os.fork() == 0)

    class Forking:
        def __init__(self, number=0):
            self.number = number
        def __index__(self):
            fork()
            return self.number
        def __float__(self):
            fork()
            return 1.0
        def read(self, size):
            fork()
            return bytes(size)

    def forking():
        yield 1.0
        fork()
        yield 2.0

    try:
        {call}
    except TypeError as error:
        in_the_child or "append-only" in str(error) or sys.exit(f"refused: {{error}}")
    else:
        if in_the_child:
            print("it was not refused", flush=True)
            os._exit(1)
    if in_the_child:
        good = array.readonly and array[1:page].tolist() == view[1:page].tolist() == expected[1:page]
        os._exit(0 if good else 2)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    """
    )


def test_a_finalizer_that_forks_while_a_buffer_is_made() -> None:
    """Making the object behind a buffer can start a garbage collection, and the array can have moved after it."""
    run_forking(
        """
    class Forking:
        def __del__(self):
            global in_the_child
            in_the_child = os.fork() == 0

    class Collected(vmem.Array):  # what is behind its buffers is tracked
        pass

    array = Collected("d", range(page), shared=True)
    in_the_child = False
    for num_more in range(12):  # one of these is the allocation at which the collection begins
        array = Collected("d", range(page), shared=True)
        gc.collect()
        cycle = [Forking()]
        cycle.append(cycle)
        del cycle
        gc.set_threshold(gc.get_count()[0] + num_more)
        view = memoryview(array)
        gc.set_threshold(700)
        gc.collect()
        if in_the_child:
            good = array.readonly and array.tolist() == view.tolist() == expected
            os._exit(0 if good else 1)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    """
    )


@linux_only
@pytest.mark.parametrize("call", ["array.prefault(size)", "array.lock(size)", "array.map()"])
def test_a_signal_handler_that_forks_in_the_middle_of_a_long_call(call: str) -> None:
    """The call does not go on in the child, whose pages are others."""
    run_forking(
        f"""
    import signal
    from tests.support.system import lockable_bytes
    view = memoryview(array)
    size = lockable_bytes(64 << 20) // 8
    children, in_the_child = [], False

    def is_at_work():
        try:
            array.unlock()
        except BufferError:
            return True
        return False

    def handle(*_):
        global in_the_child
        if children:
            return
        if is_at_work():
            children.append(os.fork())
            in_the_child = children[0] == 0
        else:
            signal.setitimer(signal.ITIMER_REAL, 1e-3)

    signal.signal(signal.SIGALRM, handle)
    if "map" in {call!r}:
        array.frombytes(bytes(64 << 20))
        expected = array.tolist()
    signal.setitimer(signal.ITIMER_REAL, 1e-3)  # once: the handler starts it again
    raised = None
    try:
        while not children:
            {call}
    except BufferError as error:
        raised = error
    if in_the_child:
        try:
            assert "after a fork" in str(raised), raised
            assert array.readonly and array[:page].tolist() == view.tolist() == expected[:page]
            array.lock()
            array.map()
            refuses(lambda: array.prefault(1))
        except BaseException as error:
            print("child:", repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
    assert raised is None
    array.append(5.0)
    """
    )


@linux_only
@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("call", ["array.prefault, 1 << 20", "array.lock, 1 << 20", "array.lock", "array.unlock"])
def test_a_signal_handler_that_forks_and_one_that_raises_then(call: str, raises: bool) -> None:
    """The child has a reader by then, and none of the pages that the call was working on."""
    if lockable_bytes(32 << 20) < 32 << 20:
        pytest.skip("this process may not lock 32 MiB")
    run_forking(
        f"""
    import _thread, functools, operator, signal
    from tests.support.system import permissions_in
    array.extend(range(1 << 20))
    expected, address, size = array.tolist(), array.map().address, array.map().size
    if "unlock" in "{call}":
        array.lock()
    in_the_child = None
    def handle(number, frame):
        global in_the_child
        in_the_child = os.fork() == 0
        if in_the_child and {raises}:
            raise KeyError("from the handler")
    signal.signal(signal.SIGINT, handle)
    call = functools.partial({call})
    try:
        list(map(operator.call, (_thread.interrupt_main, call)))  # no Python code runs before the call
        raised = None
    except Exception as error:
        raised = error
    assert in_the_child is not None
    if in_the_child:
        good = array.readonly and array.tolist() == expected
        good = good and permissions_in(address, size) == [(0, size, "---s")]
        good = good and isinstance(raised, KeyError if {raises} else (TypeError, BufferError))
        good or print(repr(raised), flush=True)
        os._exit(not good)
    assert raised is None, raised
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    assert array.tolist() == expected
    """
    )


# --- when the system refuses ---


@linux_only
@pytest.mark.exact_memory
@pytest.mark.many_addresses
def test_no_addresses_for_a_new_mapping() -> None:
    """The array stays as long as it was. Old views stay as they are, and what is written there stays there."""
    run_forking(
        """
    import resource
    from tests.support.system import status_bytes
    array = vmem.Array("d", range(page), shared=True, capacity=1 << 27)
    view = memoryview(array)
    resource.setrlimit(resource.RLIMIT_AS, (status_bytes("VmSize") + (64 << 20), resource.RLIM_INFINITY))
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            assert array.readonly
            refuses(lambda: array.append(1))
            view[0] = -1.0
            assert memoryview(array).readonly
            os.read(receiver, 1)
            assert len(array) == page and array[1:].tolist() == expected[1:]
            assert array[0] == view[0] == -1.0
            os._exit(0)
        finally:
            os._exit(1)
    array.extend(range(10 * page))
    os.write(sender, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert array[0] == 0.0
    """
    )


@linux_only
def test_a_descriptor_that_was_closed_before() -> None:
    """There is nothing left to map. The array can be read as far as it was there."""
    run_forking(
        """
    view = memoryview(array)
    os.close(array.fileno())
    def check():
        assert array.readonly and memoryview(array).readonly
        assert array.tolist() == view.tolist() == expected
        refuses(lambda: array.append(1))
        refuses(lambda: array.fileno(), OSError, "descriptor")
    in_child(check)
    array[0] = 3.0
    """
    )


@linux_only
def test_views_whose_descriptor_was_closed_before() -> None:
    """They can be written in the child, which has copies. What nobody can point to is not copied."""
    run_forking(
        """
    from tests.support.system import permissions_in
    view = memoryview(array)
    array.extend(range(100 * page))
    expected, size = array.tolist(), array.map().size
    committed, address = array.map().committed, array.map().address
    os.close(array.fileno())
    def check():
        view[0] = view[page - 1] = -1.0
        assert view.tolist() == [-1.0, *expected[1 : page - 1], -1.0] == array[:page].tolist()
        assert array[page:].tolist() == expected[page:]
        own = 8 * page
        assert permissions_in(address, size) == [(0, own, "rw-p"), (own, committed, "r--s"), (committed, size, "---s")]
        recorded = dict.fromkeys(part.protection.name for part in array.map().parts)
        assert list(recorded) == ["READ_WRITE", "READ", "NO_ACCESS"], recorded
        in_child(lambda: view.__setitem__(0, -2.0))
        assert view[0] == -1.0
    in_child(check)
    assert view.tolist() == expected[:page]
    """
    )


@linux_only
@pytest.mark.exact_memory
def test_views_for_which_there_is_no_memory() -> None:
    """The child can read what they show."""
    run_forking(
        """
    import resource
    from tests.support.system import permissions_in, status_bytes
    array.extend(range(100 * page))
    view, address = memoryview(array), array.map().address
    os.close(array.fileno())
    resource.setrlimit(resource.RLIMIT_AS, (status_bytes("VmSize") + 4 * len(array), resource.RLIM_INFINITY))
    def check():
        assert view[page + 5] == array[page + 5] == view[5] == 5.0
        assert permissions_in(address, page) == [(0, page, "r--s")]
    in_child(check)
    view[0] = -1.0
    """
    )


@linux_only
def test_the_parent_ends_first() -> None:
    run_forking(
        """
    receiver, sender = os.pipe()
    middle = os.fork()
    if middle == 0:
        array = vmem.Array("d", expected, shared=True)
        view = memoryview(array)
        gone, alive = os.pipe()
        if os.fork() == 0:
            os.close(alive)
            os.read(gone, 1)  # returns when the parent has ended
            good = array.tolist() == view.tolist() == expected
            os.write(sender, b"y" if good else b"n")
            os._exit(0)
        os.kill(os.getpid(), 9)
    os.close(sender)
    os.waitpid(middle, 0)
    assert os.read(receiver, 1) == b"y"
    """
    )


def test_an_argument_of_a_forked_process() -> None:
    run_forking(
        """
    from multiprocessing import get_context
    def check(array, queue):
        queue.put((array.readonly, array.tolist() == expected, array[:5]))
    context = get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=check, args=(array, queue))
    process.start()
    assert queue.get() == (True, True, array[:5])
    process.join()
    """
    )


@linux_only
@pytest.mark.parametrize(
    "other",
    [
        "os.memfd_create('other', os.MFD_ALLOW_SEALING)",  # empty: accessing a page of it is SIGBUS
        "vmem.Array('d', range(100, 200), shared=True)",
        "vmem.Array('d', range(100_000), shared=True)",
        "vmem.reserve(1 << 20, shared=True)",
        "os.open(os.devnull, os.O_RDWR)",
    ],
)
def test_a_descriptor_whose_number_is_that_of_something_else(other: str) -> None:
    """The child maps nothing of that. The array can be read as far as it was there."""
    run_forking(
        f"""
    view, number = memoryview(array), array.fileno()
    other = {other}
    os.dup2(other if isinstance(other, int) else other.fileno(), number)
    def check():
        assert array.readonly and array.tolist() == view.tolist() == expected
        refuses(lambda: array.append(1))
        refuses(array.fileno, OSError, "stands for something else now")
    in_child(check)
    """
    )


# --- what else runs in the child ---


def test_handlers_that_were_registered_before_the_first_shared_array() -> None:
    run_python(
        """
        import os, vmem
        made, refusals = [], []
        def write():
            try:
                made[0].append(777)
            except TypeError as error:
                refusals.append(str(error))
        os.register_at_fork(after_in_child=write)
        made.append(vmem.Array("q", [1, 2, 3], shared=True))
        reader = vmem.attach(made[0].fileno())
        child = os.fork()
        if child == 0:
            os._exit(refusals != ["this array is read-only: the process that made it writes"])
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert reader.tolist() == made[0].tolist() == [1, 2, 3]
        """
    )


def test_forks_do_not_keep_the_module() -> None:
    run_python(
        """
        import gc, os, sys, weakref, vmem
        from vmem import _vmem
        gone = weakref.ref(_vmem)
        for name in [name for name in sys.modules if name.startswith("vmem")]:
            del sys.modules[name]
        del vmem, _vmem
        gc.collect()
        assert gone() is None
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """
    )


def test_arrays_of_a_second_import() -> None:
    run_python(
        """
        import os, sys, vmem
        first = vmem.Array("q", [1], shared=True)
        for name in ("vmem", "vmem._vmem"):
            del sys.modules[name]
        del vmem
        import vmem
        second = vmem.Array("q", [2], shared=True)
        assert type(first) is not type(second)
        child = os.fork()
        if child == 0:
            os._exit(not (first.readonly and second.readonly))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """
    )
