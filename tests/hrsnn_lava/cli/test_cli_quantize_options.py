"""``compile``: options of the quantization, and what the result shows of it."""

from __future__ import annotations

from typing import Any

import hrsnn_lava as hl


def made(run: Any, model: Any, *options: Any) -> dict[str, Any]:
    found: dict[str, Any] = run(
        "compile", model, "--profile", "loihi1", "-o", "c.hlx", "--json", *options
    ).json()
    return found


def test_the_result_shows_scales_headroom_and_errors(run: Any, files: Any) -> None:
    found = made(run, files.network)["quantization"]
    assert found["options"]["scaling"] == "max"
    assert found["populations"]["exc"]["headroom"] == "any input"
    assert 0 < found["projections"]["exc_exc"]["rms_error"] < 0.1
    text = run("compile", files.network, "--profile", "loihi1", "-o", "c.hlx", "--full").out
    assert "no input can" in text
    assert "weight error" in text


def test_the_options_act(run: Any, files: Any, tmp_path: Any) -> None:
    plain, fine = (
        made(run, files.network, "--weight-bits", 3, "--scaling", name) for name in ("max", "mse")
    )
    errors = [
        max(p["rms_error"] for p in found["quantization"]["projections"].values())
        for found in (plain, fine)
    ]
    assert errors[1] < errors[0]
    assert made(run, files.network, "--headroom", "none")["quantization"]["options"][
        "headroom"
    ] == ("none")


def test_a_run_gives_the_rates(run: Any, files: Any, tmp_path: Any) -> None:
    run("simulate", files.quantized, "--steps", "100", "-o", "t.npz")
    found = made(run, files.network, "--scaling", "activity", "--rates", "t.npz")
    assert found["quantization"]["options"]["scaling"] == "activity"
    assert "observed" not in found["passes"][0]["options"]
    # integers take rates for their traffic alone
    assert made(run, files.quantized, "--rates", "t.npz")["cores"] >= 1


def test_a_spec_has_the_same_options(run: Any, files: Any, tmp_path: Any) -> None:
    text = files.spec.read_text() + '[quantize]\nscaling = "percentile:99"\nweight_bits = 6\n'
    (tmp_path / "s.toml").write_text(text)
    found = made(run, "s.toml")["quantization"]["options"]
    assert (found["scaling"], found["weight_bits"]) == ("percentile:99", 6)
    found = made(run, "s.toml", "--scaling", "mse")["quantization"]["options"]
    assert (found["scaling"], found["weight_bits"]) == ("mse", 6)


def test_mistakes_are_named(run: Any, files: Any, tmp_path: Any) -> None:
    base = ("compile", files.network, "--profile", "loihi1", "-o", "c.hlx")
    wrong = run(*base, "--scaling", "nope")
    assert wrong.code == 2
    assert "scaling: 'nope'; allowed: activity, max, mse, percentile" in wrong.err
    missing = run(*base, "--scaling", "activity")
    assert missing.code == 2
    assert "--rates TRACE" in missing.err
    hl.simulate(hl.QuantizedNetwork.load(files.clock), None, 5).save(tmp_path / "t.npz")
    other = run(*base, "--rates", "t.npz")
    assert other.code == 2
    assert "has 3 neurons; allowed: 60" in other.err
    integers = ("compile", files.quantized, "--profile", "loihi1", "-o", "c.hlx")
    for option, value in (("--scaling", "mse"), ("--headroom", "none"), ("--weight-bits", "4")):
        refused = run(*integers, option, value)
        assert refused.code == 2
        assert f"{option}: the model is quantized" in refused.err
