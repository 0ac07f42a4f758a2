"""Ctrl-C and a polite kill wait for the end of a step, where the state of a training can be saved."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Context manager that notes the first SIGINT or SIGTERM instead of obeying it at once; the second one is obeyed at once.

    Outside the main thread, where Python handles no signals, it does nothing.

    Parameters
    ----------
    patient : bool - note all of them: torchrun sends its processes a second one

    Members
    -------
    requested : bool - whether there was one
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.requested = False
        self._patient = patient
        self._number = int(signal.SIGINT)
        self._previous = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def obey(self) -> None:
        """Raises KeyboardInterrupt after a SIGINT, SystemExit with the shell's 143 after a SIGTERM."""
        if self._number == signal.SIGTERM:
            raise SystemExit(128 + self._number)
        raise KeyboardInterrupt

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.requested and not self._patient:
            self._number = number
            self.obey()
        self.requested = True
        self._number = number
