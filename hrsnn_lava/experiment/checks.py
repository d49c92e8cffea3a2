"""What of a spec can be found wrong before any work is done."""

from __future__ import annotations

from hrsnn_lava.compiler.design_rules.values import refused_learning
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.sim_backends.base import backend_of
from hrsnn_lava.spec import Spec


def checked(spec: Spec) -> tuple[HardwareProfile, CostSet, Quantize]:
    """The chip, the prices and the quantization that a spec asks for.

    Raises:
        SpecError: a name is not known, or options exclude each other.
        CapacityError: learning on a chip that cannot.
    """
    profile = HardwareProfile.load(spec.compile.profile)
    if spec.compile.chips is not None:
        profile = profile.with_chips(spec.compile.chips)
    cost_set = CostSet.load(spec.report.cost_set)
    quantize = spec.quantize_pass()
    if spec.quantize.headroom == "measured" and spec.network.input.target != "bias":
        raise SpecError(
            'quantize.headroom: "measured" needs inputs that are held; set '
            'network.input.target = "bias", or another head-room'
        )
    if spec.stdp is not None:
        _refuse_learning(spec, profile)
    for name in spec.verify.backends:
        _available(name)
    return profile, cost_set, quantize


def _available(name: str) -> str | None:
    """Why a backend cannot run here, or None; raises `SpecError` for an unknown one."""
    return backend_of(name).obstacle()


def _refuse_learning(spec: Spec, profile: HardwareProfile) -> None:
    """Raise `CapacityError` when the spec learns on a chip that cannot."""
    names = spec.stdp.projections if spec.stdp is not None and spec.stdp.on_chip else []
    violations = list(refused_learning(profile, names))
    if violations:
        text = f"network {spec.name!r} does not fit profile {profile.name!r}"
        raise CapacityError(text, violations=violations)


def missing_backends(spec: Spec) -> dict[str, str]:
    """Backends of the spec that are not installed, with the reason: skipped, and said so."""
    reasons = {name: _available(name) for name in spec.verify.backends}
    return {name: reason for name, reason in reasons.items() if reason is not None}
