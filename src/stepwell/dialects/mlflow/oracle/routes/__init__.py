"""The endpoints: MLflow's own where they are the same, with the headers of this interface around them."""
