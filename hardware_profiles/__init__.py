"""What chips can hold and what their events cost: data files, read strictly."""

from hrsnn_lava.hardware_profiles.cost_set import (
    COUNT_KEYS,
    Coefficient,
    CostSet,
    CountKey,
    document_of,
)
from hrsnn_lava.hardware_profiles.profile import HardwareProfile, Limit, Range, SynapseMemory

__all__ = [
    "COUNT_KEYS",
    "Coefficient",
    "CostSet",
    "CountKey",
    "HardwareProfile",
    "Limit",
    "Range",
    "SynapseMemory",
    "document_of",
]
