"""The dynamics part of a report: eigenvalues of the gain matrix, and the Lyapunov spectrum.

It takes seconds, so it is computed when asked for: `dynamics` makes it, and a report shows it as
given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.gain import AnyNetwork, eigenvalues, gain_matrix
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    ParticipationOptions,
    participation_exponents,
)
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import Network
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain, number, table, titled, wrapped
from hrsnn_lava.report.plots import SIDE, Plot, axis
from hrsnn_lava.report.section import Section, render

Float: TypeAlias = NDArray[np.float64]
Json: TypeAlias = dict[str, Any]
#: Neurons, or rows of the largest strongly connected part, beyond which nothing is computed.
LIMIT = 2000
#: Leading exponents that are followed, steps that they are averaged over, and steps before.
EXPONENTS, STEPS, TRANSIENT = 40, 200, 100
#: Eigenvalues that are written down, the largest; the rest would fill the file.
LISTED = 600
WHEN = ("before", "after", "on_chip")
CONVENTION = (
    "gain matrix: spikes that one spike adds to a neuron that does not leak while it integrates; "
    "below a spectral radius of 1, activity that has to keep itself up dies out"
)


def dynamics(
    before: AnyNetwork | None = None,
    after: AnyNetwork | None = None,
    on_chip: AnyNetwork | None = None,
    *,
    rng: np.random.Generator | None = None,
    drive_noise: Mapping[str, float] | float = 0.0,
    limit: int = LIMIT,
) -> Json:
    """Eigenvalues of each network, and leading Lyapunov exponents of those in float.

    Args:
        before, after, on_chip: networks that are compared; any may be missing.
        rng: for noise and tangent vectors; without one there are no exponents.
        drive_noise: standard deviation of a current, drawn anew for every neuron and step, that
            stands for the input; by network or for all.
        limit: neurons (exponents) or rows of a strongly connected part (eigenvalues) above which
            nothing is computed, and the reason given.
    """
    section: Json = {"convention": CONVENTION, "limit": limit}
    for when, network in zip(WHEN, (before, after, on_chip), strict=True):
        if network is None:
            continue
        noise = drive_noise.get(when, 0.0) if isinstance(drive_noise, Mapping) else drive_noise
        section[when] = _spectrum(network, limit) | _exponents(network, rng, noise, limit)
    return section


def _spectrum(network: AnyNetwork, limit: int) -> Json:
    values = eigenvalues(gain_matrix(network), limit)
    sizes: Json = {"neurons": network.n_neurons, "synapses": network.n_synapses}
    if values is None:
        reason = f"a strongly connected part has more than {limit:,} neurons"
        return {**sizes, "spectral_radius": None, "eigenvalues": None, "skipped": reason}
    acting = values[np.abs(values) > 1e-9]
    upper = acting[acting.imag >= 0][:LISTED]
    return {
        **sizes,
        "spectral_radius": float(np.abs(acting).max(initial=0.0)),
        "zero_eigenvalues": int(values.size - acting.size),
        "eigenvalues": {
            "re": [_short(v) for v in upper.real],
            "im": [_short(v) for v in upper.imag],
            "listed": "im >= 0, the largest",
        },
        "skipped": None,
    }


def _short(value: float) -> float:
    """Five digits: what a drawing shows, and small in a file."""
    return float(f"{value:.5g}")


def _exponents(
    network: AnyNetwork, rng: np.random.Generator | None, noise: float, limit: int
) -> Json:
    if not isinstance(network, Network) or rng is None:
        return {}
    if network.n_neurons > limit:
        reason = f"{network.n_neurons:,} neurons; computed up to {limit:,}"
        return {"lyapunov_spectrum": None, "lyapunov_skipped": reason}
    options = ParticipationOptions(
        steps=STEPS,
        transient=TRANSIENT,
        n_exponents=min(EXPONENTS, 2 * network.n_neurons),
        noise=float(noise),
    )
    try:
        run = participation_exponents(network, options, rng)
    except SpecError as error:
        return {"lyapunov_spectrum": None, "lyapunov_skipped": str(error)}
    values = np.sort(run.spectrum.exponents)[::-1]
    return {
        "lyapunov_spectrum": [_short(v) for v in values],
        "lyapunov_unit": "1/s",
        "lyapunov_largest": float(values[0]),
        "lyapunov_steps": run.spectrum.steps,
        "lyapunov_floored": run.spectrum.n_floored,
        "lyapunov_noise": float(noise),
        "spikes_per_neuron_step": run.rate,
        "lyapunov_mode": f"{run.mode} gradient, driven by noise",
    }


def names(section: Plain) -> dict[str, str]:
    """What each network of the section is called, in the order of the report."""
    pruned = bool(section.get("before"))
    words = ("before pruning", "after pruning" if pruned else "float", "on the chip")
    return {key: text for key, text in zip(WHEN, words, strict=True) if section.get(key)}


def rows(section: Plain) -> list[Json]:
    """One entry per network that was analysed, with its name in words."""
    return [{"when": text, **section[key]} for key, text in names(section).items()]


def notes(section: Plain) -> list[str]:
    """Sentences under the drawings: the convention, and what was left out and why."""
    sentences = [f"{CONVENTION[0].upper()}{CONVENTION[1:]}."] if section else []
    for entry in rows(section):
        for key, what in (("skipped", "Eigenvalues"), ("lyapunov_skipped", "Lyapunov spectrum")):
            if entry.get(key):
                sentences.append(f"{what} {entry['when']} not computed: {entry[key]}.")
    if any(entry.get("lyapunov_spectrum") for entry in rows(section)):
        sentences.append(
            "Lyapunov exponents: the leading ones of the float network, linearised by surrogate "
            "gradients and driven by noise of the strength of its input (our choice)."
        )
    return sentences


def data(facts: Facts) -> Plain:
    """``dynamics``, as given."""
    return {"dynamics": dict(facts.evidence.dynamics or {})}


def text(report: Plain) -> str:
    """A row a network and the notes; empty where nothing was computed."""
    section = report["dynamics"]
    entries = rows(section)
    if not entries:
        return ""
    head = ["network", "neurons", "synapses", "spectral radius", "largest exponent (1/s)"]
    keys = ("neurons", "synapses", "spectral_radius", "lyapunov_largest")
    cells = [[entry["when"], *(number(entry.get(key)) for key in keys)] for entry in entries]
    return titled("Dynamics", "\n".join([table(head, cells), wrapped(notes(section))]))


_STYLE = {"before": "b", "after": "a", "on_chip": "p2"}


def eigenvalue_plot(section: Plain) -> Plot | None:
    """Eigenvalues in the complex plane with the unit circle."""
    called = names(section)
    series = [
        (key, np.array(e["eigenvalues"]["re"]), np.array(e["eigenvalues"]["im"]))
        for key in WHEN
        if (e := section.get(key)) and e.get("eigenvalues")
    ]
    if not series:
        return None
    reach = max([1.0, *(float(np.hypot(x, y).max(initial=0.0)) for _, x, y in series)]) * 1.08
    radius = SIDE / 2 / reach
    circle = f"M{500 - radius:.1f} 500a{radius:.1f} {radius:.1f} 0 1 0 {2 * radius:.1f} 0"
    circle += f"a{radius:.1f} {radius:.1f} 0 1 0 {-2 * radius:.1f} 0"
    shapes = [f'<path class="rule" d="M0 500H1000M500 0V1000"/><path class="circle" d="{circle}"/>']
    for key, x, y in series:
        dots = {
            f"M{500 + radius * a:.0f} {500 - side * radius * b:.0f}h0"
            for a, b in zip(x, y, strict=True)
            for side in (1, -1)
        }
        css = "dots ring" if key == "on_chip" else "dots big"
        shapes.append(f'<path class="{css} {_STYLE[key]}" d="{"".join(sorted(dots))}"/>')
    ticks = axis(-reach, reach, 4)
    radii = ", ".join(
        f"{called[key]} {section[key]['spectral_radius']:.3g}" for key, _, _ in series
    )
    return Plot(
        "Eigenvalues of the gain matrix",
        Markup("".join(shapes)),
        ticks,
        ticks,
        "real part",
        "imaginary part",
        "and the unit circle",
        tuple((_STYLE[key], called[key]) for key, _, _ in series),
        height=320,
        square=True,
        alt=f"eigenvalues with the unit circle; spectral radius {radii}",
    )


def lyapunov_plot(section: Plain) -> Plot | None:
    """Leading Lyapunov exponents by rank."""
    called = names(section)
    series = [
        (key, np.asarray(e["lyapunov_spectrum"], dtype=np.float64))
        for key in WHEN
        if (e := section.get(key)) and e.get("lyapunov_spectrum")
    ]
    if not series:
        return None
    whole = np.concatenate([values for _, values in series])
    count = max(values.size for _, values in series)
    low, high = min(float(whole.min()), 0.0), max(float(whole.max()), 0.0)
    pad = 0.06 * (high - low) or 1.0
    low, high = low - pad, high + pad
    zero = SIDE * (1 - (0.0 - low) / (high - low))
    shapes = [f'<path class="rule" d="M0 {zero:.1f}H1000"/>']
    for key, values in series:
        x = SIDE * (np.arange(values.size) + 0.5) / count
        y = SIDE * (1 - (values - low) / (high - low))
        dots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x, y, strict=True))
        shapes.append(f'<path class="dots big {_STYLE[key]}" d="{dots}"/>')
    every = max(1, count // 5)
    firsts = ", ".join(f"{called[key]} {values[0]:.3g}/s" for key, values in series)
    return Plot(
        "Lyapunov spectrum",
        Markup("".join(shapes)),
        tuple((100 * (k + 0.5) / count, str(k + 1)) for k in range(0, count, every)),
        axis(low, high, 5),
        "rank",
        "exponent (1/s)",
        f"the leading {count}",
        tuple((_STYLE[key], called[key]) for key, _ in series),
        height=320,
        alt=f"Lyapunov spectrum; largest exponent {firsts}",
    )


def html(report: Plain, _: Facts) -> Markup:
    """Both spectra as drawings, the table, and the notes."""
    section = report["dynamics"]
    if not section:
        return Markup("")
    return render(
        "dynamics.html.j2",
        report,
        eigenvalues=eigenvalue_plot(section),
        lyapunov=lyapunov_plot(section),
        rows=rows(section),
        notes=notes(section),
    )


SECTION = Section("dynamics", "Dynamics", data, text, html)
