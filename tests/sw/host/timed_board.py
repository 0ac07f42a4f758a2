"""A board in Python behind a line that takes its time, on a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from .fake_board import FakeBoard


@dataclass
class TimedBoard(FakeBoard):
    """Bytes take `1 / bytes_per_second` each way at the same time; the board answers without delay.

    A read that comes late finds what has come meanwhile; `latency_s` is what an adapter holds back.
    """

    latency_s: float = 0.001
    now_s: float = 0.0
    to_board_free_s: float = 0.0
    to_host_free_s: float = 0.0
    _on_line: list[tuple[float, bytes]] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now_s

    def write(self, line_bytes: bytes) -> None:
        super().write(line_bytes)
        start = max(self.now_s, self.to_board_free_s)
        self.to_board_free_s = start + len(line_bytes) / self.bytes_per_second
        answer = bytes(self._waiting)
        self._waiting.clear()
        if answer:
            begun = max(self.to_board_free_s, self.to_host_free_s)
            self.to_host_free_s = begun + len(answer) / self.bytes_per_second
            self._on_line.append((self.to_host_free_s + self.latency_s, answer))

    def read(self, timeout_s: float) -> bytes:
        if not self._on_line or self._on_line[0][0] > self.now_s + timeout_s:
            self.now_s += timeout_s
            return b""
        come_s, answer = self._on_line.pop(0)
        self.now_s = max(self.now_s, come_s)
        return answer
