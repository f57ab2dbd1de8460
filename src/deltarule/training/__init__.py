"""The training process: batches, steps, *converged?* (the source's last figure)."""

from deltarule.training.blocks import BlockOrder, Blocks
from deltarule.training.divergence import first_infinite
from deltarule.training.entry import train
from deltarule.training.examples import Examples, checked_examples, data_memory
from deltarule.training.loop import Training
from deltarule.training.result import Result
from deltarule.training.run import Metric, Order, Run
from deltarule.training.state import TrainingState

__all__ = [
    "BlockOrder",
    "Blocks",
    "Examples",
    "Metric",
    "Order",
    "Result",
    "Run",
    "Training",
    "TrainingState",
    "checked_examples",
    "data_memory",
    "first_infinite",
    "train",
]
