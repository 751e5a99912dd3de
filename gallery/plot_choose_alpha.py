"""
How strong should the penalty be?
=================================

Real data do not come with their sparsity level. Here are 442 patients and the progress of their diabetes after a
year, with ten measurements and all products of two of them: 65 features, most of them useless. Cross-validation and
information criteria choose how many to keep.
"""

# %%
# The path
# --------
# As `alpha` falls from the value at which nothing is selected, features enter one by one.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sparsecode import IterativeHardThresholding, Lasso, LassoCV, LassoIC, OrthogonalMatchingPursuit, lasso_path

measurements, progress = load_diabetes(return_X_y=True)
prepare = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler())
X = prepare.fit_transform(measurements)
y = progress - progress.mean()

path = lasso_path(X, y)
print(path)

# %%
# Cross-validation and information criteria
# -----------------------------------------
# :class:`~sparsecode.LassoCV` scores every `alpha` on the same folds; :class:`~sparsecode.LassoIC` needs a single
# path, and trusts a model of the noise instead.

cv = LassoCV(cv=5).fit(X, y)
bic = LassoIC(criterion="bic").fit(X, y)
for model, name in ((cv, "cross-validation"), (bic, "BIC")):
    kept = f"{model.support_.size:2d} features"
    print(f"{name:16} alpha {model.alpha_:6.3f}, {kept}, certificate {model.certificate_:.1e}")

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
ax.plot(path.alphas, path.coefs.T, color="steelblue", alpha=0.6, linewidth=1)
ax.axvline(cv.alpha_, color="black", linestyle="--", label="cross-validation")
ax.axvline(bic.alpha_, color="black", linestyle=":", label="BIC")
ax.set(xscale="log", xlabel="alpha", ylabel="coefficients")
ax.invert_xaxis()
ax.legend()

# %%
# Or choose a number of features
# ------------------------------
# The greedy estimators take a number instead of a strength; scikit-learn's own search chooses it.

X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
models = {
    "Lasso, cross-validated": LassoCV(cv=5),
    "Lasso, BIC": LassoIC(criterion="bic"),
    "Lasso, alpha=0.1": Lasso(alpha=0.1),
    "OMP": GridSearchCV(OrthogonalMatchingPursuit(), {"n_nonzero_coefs": range(1, 21)}),
    "IHT": GridSearchCV(IterativeHardThresholding(max_iter=5000), {"n_nonzero_coefs": range(1, 21)}),
}
for name, model in models.items():
    model.fit(X_train, y_train)
    best = getattr(model, "best_estimator_", model)
    print(f"{name:23} {best.support_.size:2d} features, R^2 on unseen patients {model.score(X_test, y_test):.3f}")

# %%
# Is the difference between the first two real? Over many splits it is far below what it varies by:

scores = {name: cross_val_score(models[name], X, y, cv=10) for name in ("Lasso, cross-validated", "Lasso, BIC")}
for name, values in scores.items():
    print(f"{name:23} R^2 {values.mean():.3f} +- {values.std(ddof=1) / np.sqrt(values.size):.3f}")
