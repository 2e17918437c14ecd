"""Names that export and import of APDS 4 share: vehicle types, code lists, and the note about what is missing."""

from collections.abc import Sequence
from typing import Final

# User groups of this code list are vehicle classes that the standard's own list lacks.
CLASS_LIST: Final = "parkflow:vehicle-class"
TAG_LIST: Final = "parkflow:tag"

# VehicleTypeEnum of apds4.yaml.
VEHICLE_TYPES: Final = frozenset(
    {
        "agriculturalVehicle", "anyVehicle", "articulatedBus", "articulatedTrolleyBus", "articulatedVehicle", "bicycle",
        "bus", "car", "caravan", "carOrLightVehicle", "carWithCaravan", "carWithTrailer",
        "constructionOrMaintenanceVehicle", "fourWheelDrive", "heavyDutyTransporter", "heavyGoodsVehicle",
        "heavyGoodsVehicleWithTrailer", "heavyVehicle", "highSidedVehicle", "largeCar", "largeGoodsVehicle",
        "lightCommercialVehicle", "lightCommercialVehicleWithTrailer", "longHeavyLorry", "lorry", "metro", "minibus",
        "moped", "motorcycle", "motorcycleWithSideCar", "motorhome", "motorScooter", "other", "passengerCar",
        "smallCar", "tanker", "threeWheeledVehicle", "trailer", "tram", "trolleyBus", "twoWheeledVehicle", "unknown",
        "van", "vehicleWithCaravan", "vehicleWithCatalyticConverter", "vehicleWithoutCatalyticConverter",
        "vehicleWithTrailer",
        "withEvenNumberedRegistrationPlates", "withOddNumberedRegistrationPlates",
    }
)  # fmt: skip

_INCOMPLETE: Final = "Incomplete without x-parkflow: "


def incomplete_note(paths: Sequence[str]) -> str:
    """The sentence in a right specification that says what is not there, for people and for the import."""
    return _INCOMPLETE + ", ".join(paths)


def missing_parts(text: str) -> str | None:
    """What an incomplete_note names; None for another text."""
    return text.removeprefix(_INCOMPLETE) if text.startswith(_INCOMPLETE) else None
