"""The answers as a program: a word per byte to send, which says where the byte comes from.

One memory takes the place of a state machine, of the multiplexers for headers, and of a memory for INFO.
"""

from dataclasses import dataclass

from amaranth.lib import data

from .packet import Reply
from .protocol import ANSWER, ERROR, ERROR_BYTES, VERSION, Command, Info

WORD = data.StructLayout(
    {
        "constant": 8,
        "sequence": 1,
        "score": 1,
        "label": 1,
        "cycles": 1,
        "crc": 1,
        "end": 1,
        "byte": 2,
    }
)
"""The byte is `constant`, or if a flag is set the request's sequence, or byte number `byte` of the score, label, cycles or CRC; no byte but the
frame's end if `end` is set. `constant` is zero where a flag is set."""

_REGION = 16
_START = 11


@dataclass(frozen=True)
class AnswerProgram:
    """Words of all answers.

    Parameters
    ----------
    words : tuple of dict - fields of `WORD` that are not zero
    starts : dict of Reply to int - where an answer begins
    scores : int - where the bytes of a score begin; the four words are repeated for each score
    """

    words: tuple[dict[str, int], ...]
    starts: dict[Reply, int]
    scores: int


def answer_program(info: Info) -> AnswerProgram:
    """The program for a board that answers INFO with `info`.

    Answers begin at 11 in regions of 16 words, so that a start is the region's number and three ones; the payload of INFER begins a region.
    """
    payloads = {
        reply: [{"constant": byte} for byte in int(reply.value).to_bytes(ERROR_BYTES, "little")]
        for reply in Reply
    }
    payloads[Reply.RESET] = []
    payloads[Reply.INFER] = _word("score") + _word("label") + _word("cycles")
    payloads[Reply.INFO] = [{"constant": byte} for byte in info.encode()]
    lengths = {reply: len(payload) for reply, payload in payloads.items()}
    lengths[Reply.INFER] = info.answer_bytes
    good = {reply: ANSWER + Command[reply.name] for reply in (Reply.RESET, Reply.INFER, Reply.INFO)}

    words: list[dict[str, int]] = []
    starts = {}
    for reply in Reply:
        # INFER takes the region after its own, too.
        region = reply.value + (reply == Reply.INFO)
        starts[reply] = region * _REGION + _START
        words += [{}] * (starts[reply] - len(words))
        words += [
            {"constant": VERSION},
            {"sequence": 1},
            {"constant": good.get(reply, ERROR)},
            *({"constant": byte} for byte in lengths[reply].to_bytes(2, "little")),
            *payloads[reply],
            *_word("crc"),
            {"end": 1},
        ]
    return AnswerProgram(tuple(words), starts, scores=starts[Reply.INFER] + 5)


def _word(source: str) -> list[dict[str, int]]:
    """Four bytes of `source`, the least significant first."""
    return [{source: 1, "byte": byte} for byte in range(4)]
