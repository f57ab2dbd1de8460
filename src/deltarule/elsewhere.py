"""What other libraries call things, and what is written here: a mistake names its remedy."""

from __future__ import annotations

from collections.abc import Mapping

_RATE = "optimizer=Adam(learning_rate=...)"
_HELD_OUT = ("validation=0.2",)
_PATIENCE = ("patience=...", "stopping=Stopping(patience=...)")

KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "bias_initializer": ("biases=...",),
    "criterion": ("cost=...", "Network(..., cost=...)"),
    "device": ("options=EngineOptions(device=...)",),
    "dropout_rate": ("dropout=...",),
    "early_stopping": _PATIENCE,
    "epochs": ("max_iter=...", "stopping=Stopping(epochs=...)"),
    "eval_set": ("validation=(X, Y)",),
    "hidden_layer_sizes": ("hidden=...",),
    "input_dim": ("inputs=...", "Network(inputs, layers)"),
    "input_shape": ("inputs=...", "Network(inputs, layers)"),
    "kernel_initializer": ("weights=...",),
    "kernel_regularizer": ("regularization=Regularization(l2=...)",),
    "learning_rate": (_RATE,),
    "learning_rate_init": ("learning_rate=...", _RATE),
    "loss": ("cost=...", "Network(..., cost=...)"),
    "lr": ("learning_rate=...", _RATE),
    "max_epochs": ("epochs=...",),
    "max_iter": ("epochs=...",),
    "metrics": ("result.evaluate(X, Y)",),
    "n_epochs": ("epochs=...",),
    "n_iter_no_change": _PATIENCE,
    "n_jobs": ("n_threads=...", "options=EngineOptions(n_threads=...)"),
    "num_epochs": ("epochs=...",),
    "patience": _PATIENCE,
    "random_state": ("seed=...",),
    "sample_weight": ("weights=...",),
    "seed": ("random_state=...",),
    "solver": ("optimizer=...",),
    "tol": ("tolerance=...", "stopping=Stopping(tolerance=...)"),
    "validation_data": ("validation=(X, Y)",),
    "validation_fraction": _HELD_OUT,
    "validation_split": _HELD_OUT,
    "weight_decay": ("decay=...", "optimizer=AdamW(weight_decay=...)"),
}
"""Keywords: the first remedy that a callable takes."""

ROWS: Mapping[str, str] = {
    "bce": "binary_cross_entropy",
    "binary_crossentropy": "binary_cross_entropy",
    "bcewithlogits": "binary_cross_entropy",
    "categorical_crossentropy": "categorical_cross_entropy",
    "cross_entropy": "categorical_cross_entropy",
    "crossentropy": "categorical_cross_entropy",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "l1": "mae",
    "linear": "identity",
    "log_loss": "categorical_cross_entropy",
    "logistic": "sigmoid",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "nll": "categorical_cross_entropy",
    "sparse_categorical_crossentropy": "categorical_cross_entropy",
    "squared_error": "mse",
    "swish": "silu",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
}
"""Names of activations, costs and initializers."""

NAMES: Mapping[str, str] = {
    "BatchNormalization": "BatchNorm()",
    "BatchNorm1d": "BatchNorm()",
    "CrossEntropyLoss": "Network(..., cost='categorical_cross_entropy')",
    "Dropout": "Dense(units, activation, dropout=0.2)",
    "EarlyStopping": "Stopping(patience=...)",
    "Input": "Network(inputs, layers)",
    "LayerNormalization": "LayerNorm()",
    "Linear": "Dense(units, activation)",
    "MSELoss": "Network(..., cost='mse')",
    "ModelCheckpoint": "Checkpoints(folder)",
    "Module": "Network(inputs, layers)",
    "NeuralNetwork": "Network(inputs, layers)",
    "ReLU": "Dense(units, 'relu')",
    "ReduceLROnPlateau": "ReduceOnPlateau()",
    "Sequential": "Network(inputs, layers)",
    "fit": "train(network, X, Y)",
    "layers": "Dense(units, activation)",
    "load_model": "load(path)",
    "losses": "COSTS",
    "nn": "Network(inputs, layers)",
    "optim": "Adam(learning_rate=...)",
    "save": "result.save(path)",
    "save_model": "result.save(path)",
    "tensor": "a NumPy array",
}
"""Names that a package of this field has."""

_TRAIN = "result = deltarule.train(network, X, Y)"

ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "Network": {
        "add": "Network(inputs, [*network.layers, layer])",
        "backward": "deltarule.start(network).gradients(X, Y)",
        "compile": f"{_TRAIN[:-1]}, optimizer=...); the cost is Network(..., cost=...)",
        "count_params": "network.parameter_count",
        "evaluate": f"{_TRAIN}, then result.evaluate(X, Y)",
        "fit": _TRAIN,
        "forward": "deltarule.start(network).predict(X)",
        "get_weights": "network.initial_parameters(), or result.parameters",
        "load_weights": "deltarule.load(path)",
        "parameters": "network.initial_parameters(), or result.parameters",
        "partial_fit": "deltarule.start(network).step(X, Y)",
        "predict": f"{_TRAIN}, then result.predict(X)",
        "predict_proba": f"{_TRAIN}, then result.predict_proba(X)",
        "save": f"{_TRAIN}, then result.save(path)",
        "score": f"{_TRAIN}, then result.evaluate(X, Y)",
        "state_dict": "result.parameters",
        "to": "options=EngineOptions(device=...) of train",
        "train": _TRAIN,
        "weights": "network.initial_parameters(), or result.parameters",
    },
    "Optimizer": {
        "minimize": "deltarule.train(network, X, Y, optimizer=...)",
        "step": "deltarule.start(network, optimizer=...).step(X, Y)",
        "zero_grad": "deltarule.start(network, optimizer=...).step(X, Y)",
    },
    "Result": {
        "classes_": "result.classes",
        "coefs_": "result.parameters[0]['W']",
        "fit": "deltarule.train(network, X, Y, parameters=result.parameters)",
        "get_weights": "result.parameters",
        "loss": "result.history['cost']",
        "loss_curve_": "result.history['cost']",
        "score": "result.evaluate(X, Y)",
        "state_dict": "result.parameters",
        "summary": "result.network.summary()",
        "weights": "result.parameters",
    },
}
"""Attributes, by the class that lacks them."""
