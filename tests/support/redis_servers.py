"""A real Redis server on a free port, which a test can kill, pause and start again."""

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path


class RedisServer:
    """A `redis-server` of its own, in a temporary folder."""

    def __init__(self, *, saves=False) -> None:
        self._folder = tempfile.mkdtemp(prefix="redis-")
        self._saves = saves
        self._process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        """Start the server, and wait until it accepts connections."""
        command = f"redis-server --port {self.port} --bind 127.0.0.1 --save '' --dir {self._folder}"
        command = [part.replace("''", "") for part in command.split()]
        if self._saves:
            command += ["--appendonly", "yes", "--appendfsync", "always"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(100).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            time.sleep(0.01)
        msg = "redis-server did not start"
        raise RuntimeError(msg)

    def kill(self):
        """Kill the server, as a crash would."""
        self._process.kill()
        self._process.wait()

    def restart(self):
        self.kill()
        self.start()

    def close(self):
        self.kill()
        shutil.rmtree(Path(self._folder), ignore_errors=True)
