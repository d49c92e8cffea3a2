"""lava-dl's network exchange into a `QuantizedNetwork` that behaves bit for bit as in Lava.

lava-dl's ``netx.hdf5.Network`` makes Lava Processes of a file: `LIF` with ``vth = vThMant``,
``du = iDecay - 1``, ``dv = vDecay``, ``bias_mant = bias``, ``bias_exp = 6``, and `Dense`,
`DelayDense` or `Conv`. What those do is written down here as populations and projections, without
lava-dl and without Lava. Step 0 here is Lava's time step 1, as in `hrsnn_lava.processes.from_lava`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.artifacts.files import PathLike
from hrsnn_lava.csr import rows_of
from hrsnn_lava.deploy.interchange.convolution import (
    convolution_matrix,
    count_of_synapses,
    output_size,
)
from hrsnn_lava.deploy.interchange.netx_file import (
    WITHOUT_NEURON,
    ConvLayer,
    DenseLayer,
    FlattenLayer,
    InputLayer,
    NetxFile,
    NetxNeuron,
    Notes,
    read_netx,
)
from hrsnn_lava.deploy.interchange.netx_grid import (
    Part,
    Shifted,
    acting,
    exactly,
    optimized,
    parts,
)
from hrsnn_lava.errors import ArtifactError, NetworkError, SpecError, raise_if
from hrsnn_lava.fields import (
    SIZE_MAX,
    choice,
    is_positive,
    refusal,
    whole_array,
    whole_number,
)
from hrsnn_lava.findings import warn, worst_first
from hrsnn_lava.integer_format import INT32, NEURON_RANGES, STATE_SHIFT
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

__all__ = ["PAYLOAD_SCALE", "Weights", "from_netx", "network_of"]

Int = NDArray[np.int64]
#: Whose weights are taken: those that Lava acts on, or those in the file.
Weights = Literal["lava", "file"]
#: Payload counts per 1.0 of the values of an input with neurons.
PAYLOAD_SCALE = 256
#: Synapses of one convolution; more belong on a chip that shares weights.
MAX_SYNAPSES = 2**26
#: Lava's `Conv` wraps its sums to 24 bits.
_SUM_MAX = 2**23
_VTH_MAX = NEURON_RANGES["vth"][1]
_Shape: TypeAlias = tuple[int, ...]


def from_netx(
    path: PathLike,
    *,
    weights: Weights = "lava",
    num_layers: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    dt: float | None = None,
) -> QuantizedNetwork:
    """Read a ``.net`` file of lava-dl; needs neither lava-dl nor Lava.

    Populations are ``input`` and ``layer_1``, ``layer_2`` and so on, after the groups of the file;
    neurons of pictures are in the order (channel, row, column). An input with neurons takes values
    x as payloads of `PAYLOAD_SCALE` counts per 1.0, held until they change: the biases are
    ``weight x + bias`` of the file, as SLAYER has them; netx leaves that to the user. What a user
    has to know is in ``findings``, and a `FindingWarning` each.

    Args:
        weights: ``lava`` takes those that act in Lava, which are others than in the file where
            netx and Lava's `Dense` disagree; ``file`` takes those in the file.
        num_layers: the first so many groups of the file alone, such as those before an average
            that counts the spikes of the last; by default all.
        input_shape: (n,) or (channels, height, width), where the file does not say.
        dt: seconds of a step, for reports; by default what the file says, else 1 ms.

    Raises:
        ArtifactError: no netx file, or one that is damaged, unsafe, or has parts that cannot be
            taken: sigma-delta and resonate-and-fire neurons, payloads, pools, averages; every
            part is named.
        SpecError: an argument is none.
    """
    choice("weights", weights, get_args(Weights), SpecError)
    if dt is not None and not is_positive(dt):
        raise refusal("dt", f"{dt!r:.40}", "seconds > 0", error=SpecError)
    if num_layers is not None:
        whole_number("num_layers", num_layers, (1, INT32[1]), error=SpecError)
    if input_shape is not None:
        sizes = whole_array("input_shape", np.array(input_shape), (-1,), (1, SIZE_MAX), SpecError)
        input_shape = tuple(sizes.tolist())
    network = network_of(read_netx(path, num_layers), f"{path}", weights, input_shape, dt)
    warn(network.findings)
    return network


def network_of(
    file: NetxFile,
    source: str,
    weights: Weights = "lava",
    input_shape: tuple[int, ...] | None = None,
    dt: float | None = None,
) -> QuantizedNetwork:
    """The network of layers that were read; `source` names them in errors. See `from_netx`."""
    step = dt or file.dt or 1e-3
    building = _Building(weights, input_shape)
    for layer in file.layers:
        if not building.notes.problems:  # what comes behind would be of another shape
            building.add(layer)
    if not building.populations:
        building.notes.refuse("/layer", "no layer of neurons", "one at least")
    raise_if(ArtifactError, f"{source}: this netx file cannot be taken", building.notes.problems)
    findings = worst_first([*file.findings, *building.notes.findings])
    network = QuantizedNetwork(
        tuple(building.populations), tuple(building.projections), dt=step, findings=findings
    )
    try:
        return network.verify()
    except NetworkError as error:
        raise ArtifactError(
            f"{source}: integers beyond those of the chip", problems=error.problems
        ) from error


@dataclass
class _Building:
    """A network under way, layer by layer.

    Attributes:
        shape: of what the last layer gives; None before anything is known of it.
        sender: name of the population that gives it.
    """

    weights: Weights
    shape: _Shape | None
    notes: Notes = field(default_factory=Notes)
    populations: list[QuantizedInput | QuantizedPopulation] = field(default_factory=list)
    projections: list[QuantizedProjection] = field(default_factory=list)
    sender: str = "input"

    def add(self, layer: InputLayer | FlattenLayer | DenseLayer | ConvLayer) -> None:
        """One more layer behind those that are there."""
        if isinstance(layer, InputLayer):
            self._input(layer)
        elif isinstance(layer, FlattenLayer):
            if self.shape is not None:
                self.shape = (math.prod(self.shape),)
        elif isinstance(layer, DenseLayer):
            self._dense(layer)
        else:
            self._conv(layer)

    def _input(self, layer: InputLayer) -> None:
        if layer.shape is not None:
            self.shape = layer.shape
        if layer.neuron is None or layer.shape is None:
            return
        size = math.prod(layer.shape)
        if not self._fits(layer.index, size):
            return
        name, scale = f"layer_{layer.index}", float(PAYLOAD_SCALE)
        self.populations.append(QuantizedInput("input", size, scale))
        self._neurons(name, layer.index, layer.neuron, np.array(layer.bias), layer.shape)
        drive = sparse.identity(size, dtype=np.int64, format="csr") * layer.weight
        exponent = -(PAYLOAD_SCALE.bit_length() - 1)
        self.projections.append(
            QuantizedProjection(
                f"{name}_drive", "input", name, drive, weight_exp=exponent, target="bias"
            )
        )
        self.sender = name

    def _senders(self, where: str, size: int) -> None:
        """An input of spikes before the first layer; a mismatch of sizes is reported."""
        if self.shape is None:
            self.shape = (size,)
        if math.prod(self.shape) != size:
            self.notes.refuse(where, f"{size:,} inputs", f"{math.prod(self.shape):,}, as come in")
        elif not self.populations:
            self.populations.append(QuantizedInput("input", size))

    def _dense(self, layer: DenseLayer) -> None:
        where = f"/layer/{layer.index}"
        size, n_in = layer.weight.shape
        if self.shape is not None and len(self.shape) > 1:
            measured, fix = (
                f"a dense layer behind one of shape {self.shape}",
                "insert a flatten block",
            )
            self.notes.refuse(where, measured, "a layer of type flatten before", fix)
        self._senders(f"{where}/weight", n_in)
        if self.notes.problems:
            return
        neuron = layer.neuron or NetxNeuron(*(np.array(v) for v in WITHOUT_NEURON.values()))
        name = f"layer_{layer.index}"
        self._neurons(name, layer.index, neuron, layer.bias, (size,))
        for data, sender, matrix, shifted in self._shifted(layer):
            place = f"{where}/{data}"
            found = self._acting(place, matrix, shifted)
            self._project(f"{name}_{data}", place, sender, name, found, layer.delay)
        self.sender, self.shape = name, (size,)

    def _shifted(self, layer: DenseLayer) -> Iterator[tuple[str, str, Int, Shifted | None]]:
        """For each matrix its data set, who sends through it, and what netx makes of it.

        A layer with recurrent weights has one shift for both matrices, and loses its exponent
        where it has delays.
        """
        rec = layer.weight_rec
        if rec is None:
            yield "weight", self.sender, layer.weight, optimized(layer.weight)
            return
        both = optimized(np.hstack((layer.weight, rec)))
        n_in = layer.weight.shape[1]
        first = second = None
        if both is not None:
            lost = layer.delay is not None and both.weight_exp != 0
            if lost and self.weights == "lava":
                self.notes.tell(
                    "netx_exponent_lost",
                    f"/layer/{layer.index}",
                    f"weights that lava-dl's netx raises by 2^{-both.weight_exp}",
                    "with delays and recurrent weights it does not take that back, and neither is "
                    "it taken back here",
                    "say weights='file' for the weights of the file",
                )
                both = both._replace(weight_exp=0)
            first = both._replace(weights=both.weights[:, :n_in])
            second = both._replace(weights=both.weights[:, n_in:])
        yield "weight", self.sender, layer.weight, first
        yield "weight_rec", f"layer_{layer.index}", rec, second

    def _acting(self, where: str, matrix: Int, shifted: Shifted | None) -> tuple[Part, ...] | None:
        """Projections of one matrix of a dense layer, and findings where Lava changes it."""
        if self.weights == "file":
            return exactly(matrix)
        if shifted is None:
            return None
        changed = int((acting(shifted) != matrix << shifted.shift).sum())
        if changed:
            self.notes.tell(
                "netx_weights_changed",
                where,
                f"{changed:,} of {int((matrix != 0).sum()):,} weights",
                "Lava does not act on them as they stand in the file: it clips and truncates what "
                "lava-dl's netx gives it",
                "say weights='file' for those of the file",
            )
        return parts(shifted)

    def _conv(self, layer: ConvLayer) -> None:
        where = f"/layer/{layer.index}"
        source = self.shape
        if source is None or len(source) != 3:
            measured = "no shape of an input" if source is None else f"behind a shape of {source}"
            fix = "give input_shape=(channels, height, width)" if source is None else ""
            allowed = "(channels, height, width)"
            self.notes.refuse(where, f"a convolution with {measured}", allowed, fix)
            return
        channels, height, width = source
        needed = layer.weight.shape[1] * layer.groups
        if channels != needed:
            self.notes.refuse(f"{where}/weight", f"{channels} channels come in", f"{needed}")
            return
        geometry = (layer.stride, layer.padding, layer.dilation)
        kernel = (layer.weight.shape[2], layer.weight.shape[3])
        size = output_size((height, width), kernel, *geometry)
        if layer.shape[1:] != size:
            allowed = f"({layer.shape[0]}, {size[0]}, {size[1]}), as the convolution gives"
            self.notes.refuse(f"{where}/shape", f"{layer.shape}", allowed)
            return
        if not (self._fits(layer.index, math.prod(source)) and self._sparse_enough(layer, source)):
            return
        name = f"layer_{layer.index}"
        self._senders(f"{where}/weight", math.prod(source))
        self._neurons(name, layer.index, layer.neuron, layer.bias, layer.shape)
        kernels = exactly(layer.weight)
        if kernels is not None:
            total = np.abs(layer.weight).sum(axis=(1, 2, 3)).max()
            kernels = kernels if total < _SUM_MAX else None
        lowered = kernels and tuple(
            part._replace(weights=convolution_matrix(part.weights, source, *geometry, layer.groups))
            for part in kernels
        )
        self._project(f"{name}_weight", f"{where}/weight", self.sender, name, lowered)
        self.sender, self.shape = name, layer.shape

    def _fits(self, index: int, size: int) -> bool:
        if size > SIZE_MAX:
            self.notes.refuse(f"/layer/{index}/shape", f"{size:,} neurons", f"{SIZE_MAX:,} at most")
        return size <= SIZE_MAX

    def _sparse_enough(self, layer: ConvLayer, source: tuple[int, int, int]) -> bool:
        if not self._fits(layer.index, math.prod(layer.shape)):
            return False
        geometry = (layer.stride, layer.padding, layer.dilation)
        count = count_of_synapses(layer.weight, source[1:], *geometry)
        if count > MAX_SYNAPSES:
            where = f"/layer/{layer.index}"
            self.notes.refuse(where, f"{count:,} synapses", f"{MAX_SYNAPSES:,} at most")
        return count <= MAX_SYNAPSES

    def _project(
        self,
        label: str,
        where: str,
        pre: str,
        post: str,
        matrices: tuple[Part, ...] | None,
        delay: Int | None = None,
    ) -> None:
        """Projections of one matrix; None for one that our integers cannot hold."""
        if matrices is None:
            self.notes.refuse(where, "weights beyond 8 bits with a sign", "-256..255")
            return
        if len(matrices) > 1:
            self.notes.tell(
                "netx_weights_split",
                where,
                "weights of both signs that need 9 bits",
                f"they are in {len(matrices)} projections",
                "train with SLAYER's quantization, whose weights are even",
                "note",
            )
        for part in matrices:
            matrix = sparse.csr_matrix(part.weights)
            matrix.eliminate_zeros()
            steps = None if delay is None else delay[rows_of(matrix), matrix.indices]
            self.projections.append(
                QuantizedProjection(
                    f"{label}{part.suffix}", pre, post, matrix, delays=steps, **part.options
                )
            )

    def _neurons(self, name: str, index: int, neuron: NetxNeuron, bias: Int, shape: _Shape) -> None:
        """A population; parameters of channels hold for every place of a picture."""
        fields: dict[str, Any] = {}
        for key, values in (
            ("iDecay", neuron.i_decay),
            ("vDecay", neuron.v_decay),
            ("vThMant", neuron.v_th_mant),
            ("bias", bias),
        ):
            where = f"/layer/{index}/{key}" if key == "bias" else f"/layer/{index}/neuron/{key}"
            fields[key] = self._spread(where, values, shape)
        threshold = fields["vThMant"]
        if np.any(threshold > _VTH_MAX):
            self.notes.tell(
                "netx_threshold_clipped",
                f"/layer/{index}/neuron/vThMant",
                f"{threshold.max()}, which Lava's neurons never reach",
                f"{_VTH_MAX} is taken, the largest of the chip: potentials at the end of their "
                "range may pass it",
                severity="note",
            )
        self.populations.append(
            QuantizedPopulation(
                name,
                math.prod(shape),
                du=fields["iDecay"] - 1,
                dv=fields["vDecay"],
                vth=np.minimum(threshold, _VTH_MAX),
                bias_mant=fields["bias"],
                bias_exp=STATE_SHIFT,
            )
        )

    def _spread(self, where: str, values: Int, shape: _Shape) -> Int:
        """Values of channels for every neuron, (n,); of a single number, the number."""
        if values.size == 1:
            return values.reshape(())
        if values.shape != shape[:1]:
            self.notes.refuse(where, f"shape {values.shape}", f"() or ({shape[0]},)")
            return np.zeros((), dtype=np.int64)
        return np.repeat(values, math.prod(shape[1:]))
