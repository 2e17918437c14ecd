"""The list of fuzz targets: none is forgotten, and the benchmark's shares make what it promises."""

from bench.fuzz import CORES, CRATE, TARGETS


def test_every_fuzz_program_is_searched() -> None:
    programs = {path.stem for path in (CRATE / "src" / "bin").glob("*.rs")}
    assert {target.name for target in TARGETS} == programs


def test_every_dictionary_is_there() -> None:
    named = {target.dictionary for target in TARGETS if target.dictionary}
    assert {path.name for path in CRATE.glob("*.dict")} == named


def test_the_benchmark_asks_for_ten_million_inputs_in_six_minutes() -> None:
    assert sum(target.bench_runs for target in TARGETS) >= 10_000_000
    assert sum(target.bench_seconds_max for target in TARGETS) <= CORES * 360
