"""The refusals of all domains: codes are the contract of the API, so each belongs to one error."""

import importlib
import pkgutil
from collections import Counter

import parkflow
from parkflow.kit.errors import ParkflowError

BINDING_AND_ENTRY = {"parkflow._core", "parkflow.__main__"}


def subclasses(cls: type[ParkflowError]) -> set[type[ParkflowError]]:
    return set(cls.__subclasses__()).union(*(subclasses(each) for each in cls.__subclasses__()))


def test_a_code_belongs_to_one_refusal() -> None:
    for module in pkgutil.walk_packages(parkflow.__path__, "parkflow."):
        if module.name not in BINDING_AND_ENTRY and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    codes = Counter(error.__dict__["code"] for error in subclasses(ParkflowError) if "code" in error.__dict__)
    assert [code for code, times in codes.items() if times > 1] == []
