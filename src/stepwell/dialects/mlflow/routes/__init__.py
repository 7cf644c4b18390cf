"""The endpoints of the MLflow dialect: decode, translate, call a service, render. No rules and no shapes."""
