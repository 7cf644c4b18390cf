"""MLflow's tracking REST. README.md lists the endpoints, the number forms, and the deviations from the reference."""

from stepwell.dialects.mlflow.dialect import dialect

__all__ = ["dialect"]
