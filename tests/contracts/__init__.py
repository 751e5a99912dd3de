"""Laws written once and run over every registered solver, penalty, loss and estimator."""
