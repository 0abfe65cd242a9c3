"""OnnxGraph: a neural network in a file, run by onnxruntime."""

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.errors import ConfigError, DataError
from recsys.extras import install
from recsys.suggestions import nearest_name

EXTRA = install("onnx")


def unavailable(*libraries: str) -> str | None:
    """Which of onnxruntime and `libraries` is not installed, in words; None if all are."""
    for name in ("onnxruntime", *libraries):
        if importlib.util.find_spec(name) is None:
            return f"needs {name}, which is not installed; {EXTRA}"
    return None


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """A network whose inputs have the names `inputs`, run for its output `output`.

    `session`: of onnxruntime. `shape`: of the first input, None or a text for a size that is not fixed.
    """

    path: Path
    session: Any
    inputs: tuple[str, ...]
    output: str
    shape: tuple[object, ...]

    @staticmethod
    def open(
        path: Path, *, key: str, output: str | None = None, layer: str | None = None, threads: int
    ) -> "OnnxGraph":
        """Read the network of `path`, by default with its first output. `layer`: an output of any of its nodes.

        `key`: of the configuration, for messages. Raises ConfigError if the file is missing, no network that
        onnxruntime can run, or has no such output.
        """
        if not path.is_file():
            raise ConfigError(f"{key}: {path}: there is no such file; expected an ONNX network")
        session = _session(path, key, threads)
        if layer is not None:
            output = layer
            if layer not in [each.name for each in session.get_outputs()]:
                session = _session(path, key, threads, _with_output(path, layer, key))
        outputs = [each.name for each in session.get_outputs()]
        if output is not None and output not in outputs:
            raise ConfigError(f"{key}: {path} has no output {output!r}; it has {', '.join(outputs)}")
        inputs = session.get_inputs()
        names = tuple(each.name for each in inputs)
        return OnnxGraph(path, session, names, output or outputs[0], tuple(inputs[0].shape))

    def run(self, inputs: dict[str, NDArray[Any]]) -> Floats:
        """The output for `inputs`, by name, as float32. Raises DataError if the network fails or gives no numbers."""
        try:
            (found,) = self.session.run([self.output], inputs)
        except Exception as error:  # onnxruntime raises classes of its own, without a common one but Exception
            raise DataError(f"{self.path}: the network failed: {str(error).splitlines()[0]}") from error
        if not np.issubdtype(found.dtype, np.floating):
            raise DataError(f"{self.path}: output {self.output!r} is {found.dtype}, expected numbers with a point")
        return np.asarray(found, np.float32)


def _session(path: Path, key: str, threads: int, model: bytes | None = None) -> Any:
    """Of the file, or of `model`, the file with a further output."""
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone: older networks are warned about by the page
    try:
        return runtime.InferenceSession(model or str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of onnxruntime's own kinds
        raise ConfigError(f"{key}: {path}: not a network that onnxruntime can run: {_first_line(error)}") from error


def _with_output(path: Path, name: str, key: str) -> bytes:
    """The network of `path` with a further output. Raises ConfigError if no node makes it, or onnx is missing."""
    if importlib.util.find_spec("onnx") is None:
        raise ConfigError(f"{key}: a layer inside a network, {name!r}, needs onnx, which is not installed; {EXTRA}")
    onnx = importlib.import_module("onnx")
    try:
        model = onnx.load(str(path))
    except Exception as error:  # of protobuf's own kinds
        raise ConfigError(f"{key}: {path}: onnx cannot read this network: {_first_line(error)}") from error
    made = [each for node in model.graph.node for each in node.output]
    if name not in made:
        nearest = nearest_name(name, made)
        hint = f"did you mean {nearest!r}?" if nearest else f"the last ones are {', '.join(made[-8:])}"
        raise ConfigError(f"{key}: {path} has no layer {name!r} among {len(made)}; {hint}")
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    return bytes(model.SerializeToString())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def expect_inputs(graph: OnnxGraph, known: Sequence[str], *, key: str) -> None:
    """Raise ConfigError if the network has an input that is not `known`."""
    if others := [name for name in graph.inputs if name not in known]:
        raise ConfigError(f"{key}: {graph.path} has the inputs {', '.join(others)}; expected {', '.join(known)}")
