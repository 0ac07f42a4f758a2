"""The accelerator: stages joined by streams, with forks and joins, from the bytes of an image to scores and a label."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from .argmax import ArgMaxConfig
from .stage import StageConfig, input_ports, n_inputs, n_outputs, output_ports


@dataclass(frozen=True)
class Source:
    """Where a stage's input comes from: output number `branch` of the stage called `stage`."""

    stage: str
    branch: int = 0


@dataclass(frozen=True)
class Stage:
    """One stage of the accelerator.

    Parameters
    ----------
    name : str - name of the submodule, unique; begins with the name of the graph's node that it serves
    config : StageConfig
    inputs : tuple of Source - one for each of its inputs; (): the stage before it, of which it reads the only output
    """

    name: str
    config: StageConfig
    inputs: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Probe:
    """Where an edge of the network's graph can be observed.

    The accelerator's top module has the wires ``probe_<edge>_strobe`` and ``probe_<edge>_data``: in every cycle with the
    strobe high, the data are one transfer of that edge.

    Parameters
    ----------
    edge : str - name of the graph's edge
    stage : str - the stage on whose output it appears
    port : str - "payload" of the stream, or "sums" of a matrix-vector layer
    width : int - bits of the data
    """

    edge: str
    stage: str
    port: str
    width: int


@dataclass(frozen=True)
class AcceleratorConfig:
    """A plain description of stages and constants.

    Parameters
    ----------
    stages : tuple of Stage - each after those that it reads; the first takes bytes, the last is an argmax, and every output between them is read
        exactly once: what several stages read goes through a fork
    probes : tuple of Probe
    """

    stages: tuple[Stage, ...]
    probes: tuple[Probe, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.stages or not isinstance(self.stages[-1].config, ArgMaxConfig):
            raise ValueError("Stages must end in an argmax")
        if self.stages[0].config.input_width != 8:
            raise ValueError(
                f"First stage must take bytes, not {self.stages[0].config.input_width} bits"
            )
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise ValueError(f"Stage names must be unique, not {names!r}")
        if self.stages[0].inputs:
            raise ValueError(f"First stage must read the image, not {self.stages[0].inputs!r}")
        unread: dict[Source, StageConfig] = {}
        for stage, sources in self.connections:
            if sources and len(sources) != n_inputs(stage.config):
                raise ValueError(
                    f"Stage {stage.name!r} has {n_inputs(stage.config)} inputs, not {len(sources)}"
                )
            for source in sources:
                if source not in unread:
                    raise ValueError(
                        f"Stage {stage.name!r} reads output {source.branch} of {source.stage!r}, which no earlier stage has or "
                        "another stage reads"
                    )
                _check_transfers(source.stage, unread.pop(source), stage)
            unread |= {Source(stage.name, k): stage.config for k in range(n_outputs(stage.config))}
        del unread[Source(self.stages[-1].name)]
        if unread:
            raise ValueError(f"Outputs must all be read, not {next(iter(unread))!r} by none")

    @property
    def connections(self) -> Iterator[tuple[Stage, tuple[Source, ...]]]:
        """Each stage with what it reads, in their order; the first one reads the image and has ()."""
        before: tuple[Source, ...] = ()
        for stage in self.stages:
            yield stage, stage.inputs or before
            before = (Source(stage.name),)

    @property
    def image_bytes(self) -> int:
        """Bytes of one image at the input."""
        return self.stages[0].config.inputs_per_frame

    @property
    def scores(self) -> ArgMaxConfig:
        config = self.stages[-1].config
        assert isinstance(config, ArgMaxConfig)
        return config

    @property
    def n_classes(self) -> int:
        return self.scores.n_classes

    @property
    def score_bits(self) -> int:
        return self.scores.score_bits

    @property
    def label_bits(self) -> int:
        return self.scores.label_bits

    @property
    def interval_cycles(self) -> int:
        """Cycles from frame to frame at full rate: those of the slowest stage. Buffers are made so that none of them has to wait."""
        return max(stage.config.interval_cycles for stage in self.stages)

    def component(self) -> "Accelerator":
        return Accelerator(self)


def _check_transfers(name: str, before: StageConfig, stage: Stage) -> None:
    sent = (before.output_width, before.outputs_per_frame)
    taken = (stage.config.input_width, stage.config.inputs_per_frame)
    if sent != taken:
        raise ValueError(
            f"Stage {stage.name!r} takes {taken[1]} transfers of {taken[0]} bits a frame, but {name!r} sends {sent[1]} of {sent[0]}"
        )


class Accelerator(wiring.Component):
    """Stages side by side; frames follow each other without marks, each stage counts its own transfers.

    An image enters as `config.image_bytes` bytes: the elements in stream order, each in its own bits, the first one in the least
    significant; the last byte is filled up with zeros. Its answer is `config.n_classes` transfers, in the order of the classes,
    whose `label` is the class of the largest score so far: final where `last` is high.

    Several images are under way at once, as many as the stages hold. A reset forgets all of them, and so does `restart`, in two cycles per stage:
    it goes from stage to stage, from the last one to the first, so that no stage sends to one that is still in reset, and no wire spans the device.

    Attributes
    ----------
    restart : Signal - to be driven from outside where it is needed, for a cycle or more; `i.ready` and `o.valid` are low from the next cycle
        until all stages have started anew
    is_open : Signal - whether transfers may enter and leave; low during a restart
    probes : dict of str to (Signal, Signal) - strobe and data of each probe, by edge

    Members
    -------
    i : In(stream.Signature(8))
    o : Out(stream.Signature(StructLayout)) - `score` (signed), `label`, `last`
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.restart = Signal()
        self.is_open = Signal(init=1)
        self.probes = {
            probe.edge: (
                Signal(name=f"probe_{probe.edge}_strobe"),
                Signal(probe.width, name=f"probe_{probe.edge}_data"),
            )
            for probe in config.probes
        }
        super().__init__(
            {
                "i": In(stream.Signature(unsigned(8))),
                "o": Out(stream.Signature(config.scores.output_layout)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()

        stages = {stage.name: stage.config.component() for stage in self.config.stages}
        restarts, is_open = self._restarts(m), self.is_open
        entrance = stream.Signature(unsigned(8)).create()
        m.d.comb += [
            entrance.valid.eq(self.i.valid & is_open),
            entrance.payload.eq(self.i.payload),
            self.i.ready.eq(entrance.ready & is_open),
        ]
        outputs: dict[Source, Any] = {}
        for stage, sources in self.config.connections:
            component = stages[stage.name]
            m.submodules[stage.name] = ResetInserter(restarts[stage.name])(component)
            senders = [outputs[source] for source in sources] or [entrance]
            for sender, port in zip(senders, input_ports(component), strict=True):
                connect(m, sender, port)
            for branch, port in enumerate(output_ports(component)):
                outputs[Source(stage.name, branch)] = port
        last = outputs[Source(self.config.stages[-1].name)]
        m.d.comb += [
            self.o.valid.eq(last.valid & is_open),
            self.o.payload.eq(last.payload),
            last.ready.eq(self.o.ready & is_open),
        ]

        # Wires without a reader: a simulation sees them, synthesis removes them.
        for probe in self.config.probes:
            component = stages[probe.stage]
            strobe, data = self.probes[probe.edge]
            if probe.port == "sums":
                m.d.comb += [strobe.eq(component.sums_strobe), data.eq(component.sums)]
            else:
                sent = component.o.valid & component.o.ready
                m.d.comb += [strobe.eq(sent), data.eq(component.o.payload)]
        return m

    def _restarts(self, m: Module) -> dict[str, Signal]:
        """The reset of each stage by its name.

        The last stage's reset lasts until the first one's has begun, so that for a cycle all are in reset.
        """
        names = [stage.name for stage in self.config.stages]
        restarts = {name: Signal(name=f"{name}_restart") for name in names}
        left = Signal(range(len(names) + 1))
        reset = left != 0
        with m.If(self.restart):
            m.d.sync += left.eq(len(names))
        with m.Elif(reset):
            m.d.sync += left.eq(left - 1)
        m.d.sync += self.is_open.eq(~(self.restart | reset | restarts[names[0]]))
        for name in reversed(names):
            m.d.sync += restarts[name].eq(reset)
            reset = restarts[name]
        return restarts
