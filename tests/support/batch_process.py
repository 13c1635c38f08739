"""Real runs of ``aimlchat batch`` that kill themselves at a chosen system call.

The imports would take most of the time of a run. So one process does them once, and each run is a
fork of it: this file is its program, and `BatchProcesses` starts and controls it.
"""

import io
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

CALLS = ("write", "fsync", "ftruncate", "replace", "rename", "link", "unlink", "fchmod", "chmod")


class BatchProcesses:
    """Starts runs with these arguments, one after the other."""

    def __init__(self, *arguments, log) -> None:
        self._arguments = arguments
        self.log = Path(log)
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=os.environ | {"AIMLAPI_API_KEY": "k", "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        assert self._process.wait() == 0
        self._process.stdout.close()

    def start(self, *arguments, kill_at=None) -> int:
        """Start a run, and return its process id.

        ``kill_at`` is a number of system calls that change files and "before" or "half": the run
        kills itself before the next call, or, if it is a write, when half of it is written. Or it
        is a number of bytes after "result" and a number: the run kills itself after so many writes
        of a result or of the probe for room, and after so many bytes of the next one.
        """
        run = {"arguments": [*self._arguments, *arguments], "kill_at": kill_at}
        self._process.stdin.write(json.dumps(run | {"log": str(self.log)}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self) -> int:
        """Wait for the end of the run, and return its exit status."""
        return int(self._process.stdout.readline())

    def run(self, *arguments, kill_at=None) -> int:
        """Start a run, and return its exit status."""
        self.start(*arguments, kill_at=kill_at)
        return self.wait()

    def has_ended(self) -> bool:
        return bool(select.select([self._process.stdout], [], [], 0)[0])


def kill_in_result(results, length):
    write = os.write

    def count(file, data):
        nonlocal results
        if bytes(data[:1]) in (b"{", b"\0"):  # a result, or the probe for room
            if not results:
                write(file, data[:length])
                os.kill(os.getpid(), signal.SIGKILL)
            results -= 1
        return write(file, data)

    os.write = count


def kill_at_call(number, moment):
    def count(call, write_half=None):
        """Wrap a system call; ``write_half`` does a half of it."""

        def counted(*arguments, **options):
            nonlocal number
            if not number:
                if moment == "half" and write_half:
                    write_half(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            number -= 1
            return call(*arguments, **options)

        return counted

    class File(io.FileIO):
        """An open file, whose writes do not go through `os.write`."""

        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            write = super().write
            self.write = count(write, lambda data: write(data[: len(data) // 2]))

    def open_file(file, mode="r", buffering=-1, *arguments, **options):
        if "b" in mode and set(mode) & set("wax+"):
            raw = File(file, mode, opener=options.get("opener"))
            return raw if buffering == 0 else io.BufferedWriter(raw)
        return open_as_before(file, mode, buffering, *arguments, **options)

    open_as_before, write = io.open, os.write
    io.open = open_file
    for name in CALLS:
        if hasattr(os, name):
            setattr(os, name, count(getattr(os, name)))
    os.write = count(write, lambda file, data: write(file, data[: len(data) // 2]))


def main():
    """Start a run for each line of standard input; print its process id and its exit status."""
    import aimlchat.batch  # noqa: PLC0415 - what each run would import again
    import aimlchat.cli.batch_command  # noqa: PLC0415
    import aimlchat.cli.program  # noqa: F401, PLC0415
    from aimlchat.cli import main as run  # noqa: PLC0415

    for line in sys.stdin:
        settings = json.loads(line)
        child = os.fork()
        if not child:
            os.close(0)
            log = os.open(settings["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 2)
            sys.argv = ["aimlchat", "batch", *settings["arguments"]]
            match settings["kill_at"]:
                case ["result", results, length]:
                    kill_in_result(results, length)
                case [number, moment]:
                    kill_at_call(number, moment)
            run()
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
