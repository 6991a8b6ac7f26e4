"""Networks: modules, layers, and their functions, spelled as in PyTorch."""

from minigrad.nn import functional as functional
from minigrad.nn import init as init
from minigrad.nn import utils as utils
from minigrad.nn.activations import (
    GELU,
    GLU,
    Activation,
    LogSigmoid,
    LogSoftmax,
    Mish,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
    Tanhshrink,
)  # fmt: skip
from minigrad.nn.containers import ModuleDict, ModuleList, Sequential
from minigrad.nn.criteria import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    SmoothL1Loss,
)  # fmt: skip
from minigrad.nn.dropout import AlphaDropout, Dropout
from minigrad.nn.embedding import Embedding
from minigrad.nn.linear import Flatten, Identity, Linear
from minigrad.nn.module import Module
from minigrad.nn.normalization import BatchNorm1d, GroupNorm, InstanceNorm1d, LayerNorm, RMSNorm
from minigrad.nn.parameter import Parameter
from minigrad.nn.rectifiers import (
    CELU,
    ELU,
    SELU,
    Hardsigmoid,
    Hardtanh,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
)
from minigrad.nn.recurrent import GRU, LSTM, RNN
from minigrad.nn.recurrent_cells import GRUCell, LSTMCell, RNNCell
from minigrad.nn.residual import Residual

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "Activation",
    "AlphaDropout",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GroupNorm",
    "Hardsigmoid",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "Identity",
    "InstanceNorm1d",
    "KLDivLoss",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "RMSNorm",
    "RNNCell",
    "ReLU",
    "ReLU6",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "functional",
    "init",
    "utils",
]  # fmt: skip
