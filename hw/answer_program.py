"""The answers as a program: a word per byte to send, which says where the byte comes from.

One memory takes the place of a state machine, of the multiplexers for headers, and of a memory for INFO.
"""

from dataclasses import dataclass

from amaranth.lib import data

from .packet import Reply
from .protocol import ANSWER, ERROR, ERROR_BYTES, VERSION, Command, Info

WORD_FIELDS = {
    "constant": 8,
    "sequence": 1,
    "score": 1,
    "label": 1,
    "cycles": 1,
    "crc": 1,
    "end": 1,
    "byte": 2,
}
"""The byte is `constant`, or if a flag is set the request's sequence (with `byte` 1: the error code), or byte number `byte` of the score, label, cycles
or CRC; no byte but the frame's end if `end` is set. `constant` is zero where a flag is set."""

_REGION = 16
_START = 11


@dataclass(frozen=True)
class AnswerProgram:
    """Words of all answers.

    Parameters
    ----------
    layout : StructLayout - of a word: `WORD_FIELDS`, and `trace` where there is TRACE
    words : tuple of dict - fields that are not zero
    starts : dict of Reply to int - where an answer begins
    scores : dict of Reply to int - where the bytes of a score begin; the four words are repeated for each score, and all up to the cycles for
        each image
    """

    layout: data.StructLayout
    words: tuple[dict[str, int], ...]
    starts: dict[Reply, int]
    scores: dict[Reply, int]


def answer_program(info: Info) -> AnswerProgram:
    """The program for a board that answers INFO with `info`.

    Answers begin at 11 in regions of 16 words, so that a start is the region's number and three ones; the payload of INFER begins a region. The
    regions' numbers are bits of the reply. All errors share one answer.
    """
    image = _word("score") + _word("label") + _word("cycles")
    images = {Command.INFER: 1, Command.BATCH: info.batch_images}
    payloads = {
        Command.RESET: [],
        Command.INFO: [{"constant": byte} for byte in info.encode()],
        Command.BENCHMARK: _word("cycles"),
        Command.TRACE: [{"trace": 1}],
        **dict.fromkeys(images, image),
    }
    lengths = {command: len(payload) for command, payload in payloads.items()}
    lengths |= {command: n * info.answer_bytes for command, n in images.items()}
    lengths[Command.TRACE] = info.trace_bytes

    error_payload = [{"sequence": 1, "byte": 1}] + [{"constant": 0}] * (ERROR_BYTES - 1)
    answers = [(_REGION + _START, _frame(ERROR, ERROR_BYTES, error_payload))]
    starts = {reply: _REGION + _START for reply in Reply if reply.name not in Command.__members__}
    scores = {}
    for command in sorted(info.commands):
        reply = Reply[command.name]
        start = 2 * _REGION * reply.value + _START
        if command == Command.TRACE:
            # Behind INFO, which is long.
            start = -(-max(at + len(frame) for at, frame in answers) // _REGION) * _REGION + _START
        starts[reply] = start
        if command in images:
            scores[reply] = start + 5
        frame = _frame(ANSWER + command, lengths[command], payloads[command])
        answers.append((start, frame))

    words: list[dict[str, int]] = []
    for start, frame in sorted(answers, key=lambda answer: answer[0]):
        assert len(words) <= start, "answers overlap"
        words += [{}] * (start - len(words)) + frame
    traced = {"trace": 1} if info.trace_bytes else {}
    return AnswerProgram(data.StructLayout(WORD_FIELDS | traced), tuple(words), starts, scores)


def _frame(command: int, n_bytes: int, payload: list[dict[str, int]]) -> list[dict[str, int]]:
    """An answer's words, from the version to the end."""
    return [
        {"constant": VERSION},
        {"sequence": 1},
        {"constant": command},
        *({"constant": byte} for byte in n_bytes.to_bytes(2, "little")),
        *payload,
        *_word("crc"),
        {"end": 1},
    ]


def _word(source: str) -> list[dict[str, int]]:
    """Four bytes of `source`, the least significant first."""
    return [{source: 1, "byte": byte} for byte in range(4)]
