"""The parts of APDS 4 that carry prices, as they are read: strict, bounded, and without a field that nobody looks at.

Names and meaning follow `apiv4/apds4.yaml`. What is declared here as `object` is known and holds no price.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parkflow.tariff.apds import ApdsRefused, shown

LINES_MAX = 64
TABLES_MAX = 1_024
PERIODS_MAX = 32

Name = str
Short = Field(default=None, max_length=200)


class Closed(BaseModel):
    """An object of the standard in which an unknown field could change a price."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Open(BaseModel):
    """An object of the standard around the prices; its other fields are named as losses."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


class AmountInCurrency(Closed):
    currencyType: str = Field(pattern=r"^[A-Z]{3}$")
    currencyValue: Any


class RateLine(Closed):
    id: object = None
    version: object = None
    sequence: int = Field(ge=0, le=100_000)
    rateLineType: Literal["incrementingRate", "flatRateTier", "flatRate", "perUnit"]
    description: object = None
    durationStart: str | None = Short
    durationEnd: str | None = Short
    incrementPeriod: str | None = Short
    value: Any
    minValue: Any = None
    maxValue: Any = None
    usageCondition: object = None


class RateLineCollection(Closed):
    id: object = None
    version: object = None
    collectionSequence: object = None
    applicableCurrency: str = Field(pattern=r"^[A-Z]{3}$")
    minTime: object = None
    maxTime: object = None
    resetTime: str | None = Field(default=None, pattern=r"^([01]?\d|2[0-3]):[0-5]\d$")
    minValueCollection: AmountInCurrency | None = None
    maxValueCollection: AmountInCurrency | None = None
    validStart: str | None = Short
    validEnd: str | None = Short
    relativeTimes: bool | None = None
    taxIncluded: bool | None = None
    taxRate: Any = None
    rateLines: list[RateLine] = Field(min_length=1, max_length=LINES_MAX)


class TimePeriodOfDay(Closed):
    startTimeOfPeriod: str = Field(pattern=r"^([01]?\d|2[0-3]):[0-5]\d$")
    endTimeOfPeriod: str = Field(pattern=r"^([01]?\d|2[0-3]):[0-5]\d$")


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class DayWeekMonth(Closed):
    applicableDay: list[Weekday] = Field(default=[], max_length=7)


class Period(Closed):
    periodName: object = None
    recurringDayWeekMonthPeriod: list[DayWeekMonth] = Field(default=[], max_length=PERIODS_MAX)
    recurringTimePeriodOfDay: list[TimePeriodOfDay] = Field(default=[], max_length=PERIODS_MAX)
    # Which dates these are is not said in a document, so the import refuses them by name.
    recurringSpecialDay: list[object] = Field(default=[], max_length=PERIODS_MAX)


class OverallPeriod(Closed):
    overallStartTime: object = None
    overallEndTime: object = None
    validPeriods: list[Period] = Field(default=[], max_length=PERIODS_MAX)
    exceptionPeriods: list[object] = Field(default=[], max_length=PERIODS_MAX)


class Validity(Closed):
    validityStatus: Literal["active", "definedByValidityTimeSpec", "planned", "suspended"] | None = None
    validityTimeSpecification: OverallPeriod | None = None


class RateTable(Open):
    id: str = Field(min_length=1, max_length=200)
    rateTableName: object = None
    validity: Validity | None = None
    rateLineCollections: list[RateLineCollection] = Field(min_length=1, max_length=16)


class CodeList(Open):
    id: str = Field(max_length=200)


class UserGroup(Open):
    entryDefinedValue: str = Field(min_length=1, max_length=100)
    codeListId: CodeList | None = None


class UserQualification(Closed):
    userGroup: UserGroup


class Qualification(Closed):
    vehicleTypes: list[str] = Field(default=[], max_length=64)
    userQualifications: list[UserQualification] = Field(default=[], max_length=64)
    withReservation: bool | None = None


class Eligibility(Closed):
    id: str = Field(min_length=1, max_length=200)
    version: object = None
    description: object = None
    eligibilityName: object = None
    qualifications: list[Qualification] = Field(default=[], max_length=64)


class Reference(Open):
    id: str = Field(min_length=1, max_length=200)


class RateEligibility(Closed):
    id: object = None
    version: object = None
    priority: int | None = Field(default=None, ge=1, le=1_000_000)
    combinable: bool | None = None
    eligibility: Eligibility | None = None
    rateTable: Reference
    rateDiscount: object = None


class RightSpecification(Open):
    id: str = Field(min_length=1, max_length=200)
    description: object = None
    validity: object = None
    rateEligibility: list[RateEligibility] = Field(min_length=1, max_length=TABLES_MAX)


class Document(Open):
    """One RightSpecification with the RateTables that it names; a list of RateTables is read from `data` too."""

    rateTables: list[RateTable] = Field(min_length=1, max_length=TABLES_MAX)
    rightSpecification: RightSpecification | None = None


def parse(raw: dict[str, Any]) -> Document:
    """The document: ours, a page of RateTables, or one RateTable by itself. Raises ApdsRefused with the first fault."""
    if "rateLineCollections" in raw:
        raw = {"rateTables": [raw]}
    elif "data" in raw:
        raw = {"rateTables": raw["data"]}
    try:
        return Document.model_validate(raw)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise ApdsRefused(f"{shown(place)}: {shown(fault['msg'])}") from None
