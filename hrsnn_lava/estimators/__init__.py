"""Networks from arrays, in scikit-learn's manner: construct, fit, predict, compile, report."""
