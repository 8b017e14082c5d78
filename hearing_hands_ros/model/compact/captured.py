"""Evaluations of the network as CUDA graphs: at these sizes a GPU waits for Python, not the other way round."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Evaluate = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]

WARM_UP = 3  # evaluations before a capture, as PyTorch wants them: libraries allocate and choose their kernels
KEPT = 16  # graphs, one for each shape; each holds the memory of one evaluation


@dataclass(frozen=True)
class _Captured:
    """A graph, the tensors that it reads, and the one that it writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    output: Tensor


class CapturedEvaluations:
    """Captures an evaluation for each shape that comes, and replays it from then on.

    Nothing waits for the device: inputs are copied there, and the graph is queued. Where a capture fails there is a
    warning, and evaluations are run as they are from then on.

    Args:
        evaluate: Of x (B, F, T), t (B,), context (B, N, W) and tokens (B,), all on one CUDA device; must not depend on
            anything that is read back from there.

    Attributes:
        failed: Why captures were given up; empty if they were not.
    """

    def __init__(self, evaluate: Evaluate) -> None:
        self.failed = ""
        self._evaluate = evaluate
        self._graphs: OrderedDict[tuple[torch.Size, ...], _Captured] = OrderedDict()

    def __call__(self, x: Tensor, t: Tensor, context: Tensor, tokens: Tensor | None) -> Tensor:
        """As `evaluate`."""
        if self.failed or tokens is None:
            return self._evaluate(x, t, context, tokens)
        inputs = (x, t, context, tokens)
        shapes = tuple(value.shape for value in inputs)
        if shapes not in self._graphs:
            try:
                self._graphs[shapes] = self._capture(inputs)
            except torch.OutOfMemoryError:
                raise  # a smaller batch may do
            except RuntimeError as error:
                self.failed = str(error)
                warnings.warn(f"CompactGenerator: wanted a CUDA graph of its steps, got: {error}", stacklevel=2)
                self._graphs.clear()
                return self._evaluate(*inputs)
            if len(self._graphs) > KEPT:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(shapes)
        captured = self._graphs[shapes]
        for place, value in zip(captured.inputs, inputs, strict=True):
            place.copy_(value)
        captured.graph.replay()
        return captured.output.clone()

    def _capture(self, inputs: tuple[Tensor, ...]) -> _Captured:
        static = tuple(value.clone() for value in inputs)
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._evaluate(*static)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = self._evaluate(*static)
        return _Captured(graph, static, output)
