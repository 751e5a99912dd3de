"""Pictures of dictionaries, recoveries, posteriors, paths, convergence, phase transitions, learned coders,
transport plans and maps, in the manner of scikit-learn's Display classes.

matplotlib is imported when a picture is drawn, not before; a figure is returned, never shown.
"""

from ._convergence import ConvergenceDisplay
from ._dictionary import DictionaryDisplay
from ._displacement import DisplacementDisplay
from ._pareto import ParetoDisplay
from ._path import PathDisplay
from ._phase_transition import PhaseTransitionDisplay
from ._recovery import RecoveryDisplay
from ._transport_plan import TransportPlanDisplay
from ._uncertainty import UncertaintyDisplay

__all__ = [
    "ConvergenceDisplay",
    "DictionaryDisplay",
    "DisplacementDisplay",
    "ParetoDisplay",
    "PathDisplay",
    "PhaseTransitionDisplay",
    "RecoveryDisplay",
    "TransportPlanDisplay",
    "UncertaintyDisplay",
]
