"""A network of the BERT family in ONNX, and the tokenizer before it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from recsys.content.onnx_graph import OnnxGraph
from recsys.data.arrays import Floats, Indices

Pooling = Literal["mean", "cls", "max"]


@dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """`tokenizer`: of the package tokenizers, which cuts texts. `batch`: texts at once, of similar lengths."""

    graph: OnnxGraph
    tokenizer: Any
    pooling: Pooling
    batch: int

    @cached_property
    def padding(self) -> int:
        """The number of the token of padding; RoBERTa counts places by it."""
        numbers = (self.tokenizer.token_to_id(name) for name in ("[PAD]", "<pad>"))
        return next((number for number in numbers if number is not None), 0)

    @cached_property
    def dimension(self) -> int:
        """The dimension of the vectors, found by one text."""
        return int(self.vectors(["a"]).shape[1])

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Float32 (n, d): the pooled vectors of the tokens of `texts`."""
        read = self.tokenizer.encode_batch(list(texts))
        order = np.argsort([len(each.ids) for each in read], kind="stable").astype(np.int32)
        parts = [self._pooled([read[at] for at in some.tolist()]) for some in _parts(order, self.batch)]
        found = np.concatenate(parts)
        vectors = np.empty_like(found)
        vectors[order] = found
        return vectors

    def _pooled(self, read: Sequence[Any]) -> Floats:
        longest = max(1, *(len(each.ids) for each in read))
        ids, mask = np.full((len(read), longest), self.padding, np.int64), np.zeros((len(read), longest), np.int64)
        for row, each in enumerate(read):
            ids[row, : len(each.ids)], mask[row, : len(each.ids)] = each.ids, 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        output = self.graph.run({name: given[name] for name in self.graph.inputs})
        return pooled(output, mask, self.pooling)


def pooled(output: Floats, mask: np.ndarray[Any, Any], pooling: Pooling) -> Floats:
    """Float32 (n, d): the vectors of the tokens, (n, t, d), as one per text; an output (n, d) as it is.

    `mask`: int64 (n, t), 1 where there is a token. "mean" and "max" are over the tokens, "cls" is the first one.
    """
    if output.ndim == 2:
        return output
    if pooling == "cls":
        return np.ascontiguousarray(output[:, 0])
    weight = mask[:, :, None].astype(np.float32)
    if pooling == "max":
        largest: Floats = np.where(weight > 0, output, -np.inf).max(axis=1).astype(np.float32)
        return largest
    mean: Floats = (output * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
    return mean


def _parts(order: Indices, size: int) -> Iterator[Indices]:
    return (order[start : start + size] for start in range(0, len(order), size))
