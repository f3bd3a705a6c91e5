"""Shared objects are sent to other processes through multiprocessing, by every method of starting them."""

from __future__ import annotations

import multiprocessing
import os
import sys

import pytest

import vmem
from tests.programs.sending import CHANNELS, THINGS
from tests.support.forked import HAS_SANITIZER
from tests.support.marks import linux_only, needs_shared_memory, posix_only
from tests.support.processes import ROOT, run_command, run_python

pytestmark = needs_shared_memory

METHODS = [each for each in multiprocessing.get_all_start_methods() if each == "spawn" or not HAS_SANITIZER]

# What `make test` runs: every channel, every method, every thing.
SAMPLES = {
    *((method, "argument", thing) for method in METHODS for thing in THINGS),
    *((method, channel, "region") for method in ("spawn", "forkserver") for channel in ("queue", "pool", "pipe")),
    *(("spawn", channel, "array") for channel in ("queue", "pool", "pipe, received")),
    *(("fork" if "fork" in METHODS else "spawn", channel, "region") for channel in CHANNELS),
}
CASES = [
    pytest.param(*case, marks=() if case in SAMPLES else pytest.mark.exhaustive)
    for case in ((method, channel, thing) for method in METHODS for channel in CHANNELS for thing in THINGS)
]


@pytest.mark.parametrize(("method", "channel", "thing"), CASES)
def test_a_channel(method: str, channel: str, thing: str) -> None:
    run_command(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.programs.sending", method, channel, thing],
        PYTHONPATH=str(ROOT),
    )


def test_private_regions_are_refused_as_before() -> None:
    """Also by multiprocessing, once it knows the type."""
    from multiprocessing.reduction import ForkingPickler

    with vmem.reserve(1, shared=True) as shared, vmem.reserve(1) as private:
        ForkingPickler.dumps(shared)
        with pytest.raises(TypeError, match="its memory stays where it is; pickle a copy"):
            ForkingPickler.dumps(private)


@pytest.mark.parametrize(
    "register",
    ["copyreg.pickle", "reduction.ForkingPickler.register", "late"],
    ids=["copyreg", "multiprocessing", "late"],
)
def test_private_instances_are_sent_as_others_have_registered(register: str) -> None:
    """Once multiprocessing knows the type, too. Shared ones are sent as shared memory."""
    run_python(
        f"""
        import copyreg, pickle, vmem
        from multiprocessing import reduction
        class Named(vmem.Array):
            pass
        def send(thing):
            return pickle.loads(reduction.ForkingPickler.dumps(thing))
        def reduce(named):
            return list, ((1, 2, 3),)
        late = lambda kind, reduce: None
        {register}(Named, reduce)
        shared = Named("d", [9.0], shared=True)
        if {register} is late:
            assert send(Named("d", [9.0])).tolist() == [9.0]
            copyreg.pickle(Named, reduce)
        assert send(Named("d", [9.0])) == [1, 2, 3]
        received = send(shared)
        assert received.tolist() == [9.0] and received.readonly and type(received) is Named
        """
    )


def test_released_regions_are_refused() -> None:
    from multiprocessing.reduction import ForkingPickler

    region = vmem.reserve(1, shared=True)
    region.release()
    with pytest.raises(ValueError, match="released"):
        ForkingPickler.dumps(region)


def test_a_state_that_cannot_be_sent() -> None:
    from multiprocessing.reduction import ForkingPickler

    class Stateless(vmem.Region):
        def __getstate__(self) -> object:
            raise KeyError

    with Stateless(1, shared=True) as region, pytest.raises(KeyError):
        ForkingPickler.dumps(region)


@linux_only
def test_a_state_that_cannot_be_sent_leaves_no_descriptors_behind() -> None:
    from multiprocessing.reduction import ForkingPickler

    class Stateless(vmem.Region):
        def __getstate__(self) -> object:
            raise KeyError

    with Stateless(1, shared=True) as region:
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for _ in range(10):
            with pytest.raises(KeyError):
                ForkingPickler.dumps(region)
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@linux_only
def test_a_message_leaves_no_descriptors_behind() -> None:
    """Neither in the sender, once it was received, nor in the receiver, which is the same process here."""
    run_python(
        """
        import os, pickle, vmem
        from multiprocessing.reduction import ForkingPickler
        from multiprocessing.resource_sharer import stop

        def find_open():
            paths = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
            return sum("memfd:counted" in os.readlink(path) for path in paths if os.path.lexists(path))

        region = vmem.reserve(1 << 20, shared=True, name="counted")
        message = bytes(ForkingPickler.dumps(region))
        received = pickle.loads(message)
        stop()  # what it does for a message that was received may last longer
        assert find_open() == 2
        received.release()
        assert find_open() == 1
        """
    )


@linux_only
def test_a_closed_descriptor_is_not_sent() -> None:
    """Nor is the file that has its number by then."""
    from multiprocessing.reduction import ForkingPickler

    region = vmem.reserve(1, shared=True)
    number = region.fileno()
    os.close(number)
    taken = os.dup(0)
    assert taken == number
    with pytest.raises(OSError, match="stands for something else now"):
        ForkingPickler.dumps(region)
    region.release()
    os.close(taken)


@posix_only
def test_a_message_whose_sender_has_ended() -> None:
    run_python(
        """
        import multiprocessing, os, vmem

        def send(connection):
            connection.send(vmem.reserve(1, shared=True))

        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            ours, theirs = context.Pipe()
            process = context.Process(target=send, args=(theirs,))
            process.start()
            process.join()
            try:
                ours.recv()
            except (ConnectionError, EOFError, FileNotFoundError):
                pass
            else:
                raise SystemExit("it was received")
        """
    )


def test_multiprocessing_is_imported_with_the_first_shared_object() -> None:
    run_python(
        """
        import sys, vmem
        vmem.reserve(1).release()
        assert not {"multiprocessing", "vmem._sharing"} & set(sys.modules)
        region = vmem.reserve(1, shared=True)
        assert {"multiprocessing.reduction", "vmem._sharing"} <= set(sys.modules)
        """
    )


def test_a_second_import_of_vmem() -> None:
    """It has types of its own, of which instances are sent and forked too, beside those of the first."""
    run_python(
        """
        import os, sys
        from multiprocessing import Pipe
        import vmem as first
        early = first.Array("d", [1.0], shared=True)
        for name in ("vmem", "vmem._vmem"):
            del sys.modules[name]
        import vmem as second
        assert second.Array is not first.Array

        class Derived(second.Array):
            pass

        arrays = [early, second.Array("d", [1.0], shared=True), Derived("d", [1.0], shared=True)]
        late = second.reserve(1, shared=True)
        ours, theirs = Pipe()
        for array in arrays[1:]:
            ours.send(array)
            received = theirs.recv()
            assert type(received) is type(array) and received == array and received.readonly
        ours.send(late)
        assert type(theirs.recv()) is second.Region
        if hasattr(os, "fork"):
            child = os.fork()
            if child == 0:
                os._exit(0 if all(array.readonly for array in arrays) else 1)
            assert os.waitpid(child, 0)[1] == 0
        assert not any(array.readonly for array in arrays)
        """
    )


def test_without_multiprocessing() -> None:
    """Shared memory works where it cannot be imported."""
    run_python(
        """
        import sys
        sys.modules["multiprocessing"] = None
        import vmem
        with vmem.reserve(1, shared=True) as region:
            region.commit()
            region[0] = 1
        """
    )


def test_a_hook_that_was_never_set() -> None:
    run_python(
        """
        import importlib.util
        from vmem import _vmem
        loader = importlib.util.spec_from_file_location("vmem._vmem", _vmem.__file__)
        again = importlib.util.module_from_spec(loader)
        loader.loader.exec_module(again)
        try:
            again.reserve(again.Region, 1, None, False, None, "copy", True, True)
        except RuntimeError as error:
            assert "set_sharing_hook() has not been called" in str(error)
        else:
            raise SystemExit("it raised nothing")
        """
    )


def test_a_hook_that_raises_and_one_that_replaces_itself() -> None:
    run_python(
        """
        import gc
        import vmem
        from vmem import _vmem
        calls = []

        def fail(kind):
            raise KeyError(kind)

        def replace(kind):
            calls.append(kind)
            _vmem.set_sharing_hook(lambda kind: None)
            gc.collect()

        _vmem.set_sharing_hook(fail)
        try:
            vmem.reserve(1, shared=True)
        except KeyError as error:
            assert error.args == (vmem.Region,)
        else:
            raise SystemExit("it raised nothing")
        _vmem.set_sharing_hook(replace)
        vmem.reserve(1, shared=True).release()
        vmem.reserve(1, shared=True).release()
        assert calls == [vmem.Region]
        """
    )


def test_the_hook_is_called_once_for_many_objects_of_a_type() -> None:
    run_python(
        """
        import vmem
        from vmem import _vmem
        calls = []
        for _ in range(2):
            _vmem.set_sharing_hook(calls.append)
            for _ in range(3):
                array = vmem.Array("B", capacity=1, shared=True)
                _vmem.attach(array._get_handle(), (vmem.Array,))
        vmem.reserve(1, shared=True).release()
        assert calls == [vmem.Array, vmem.Array, vmem.Region]
        """
    )
