"""Oracle AI Data Platform's MLOps: MLflow's endpoints under other paths, with other errors and headers. README.md."""

from stepwell.dialects.mlflow.oracle.dialect import dialect

__all__ = ["dialect"]
