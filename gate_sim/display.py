"""What a gate's display says, in Chinese and in English, for every reason of a decision: short, and what to do next."""

from dataclasses import dataclass
from typing import Final

JOURNAL_FULL: Final = "journal_full"
MEDIUM_NOT_ENABLED: Final = "medium_not_enabled"
NOTHING_READ: Final = "nothing_read"
LIFTED: Final = "lifted"

OWN_REASONS: Final = (JOURNAL_FULL, MEDIUM_NOT_ENABLED, NOTHING_READ, LIFTED)
"""Reasons of a gate that are about no code; the others are those of the gate library (`core.GATE_REASONS`)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line in both languages."""

    zh: str
    en: str


_WELCOME: Final = Line("欢迎光临", "Welcome")
_GOODBYE: Final = Line("一路平安", "Goodbye, drive safely")
# Let out although the card cannot be used: who is inside is never trapped, and should know what waits.
_GOODBYE_DENIED: Final = Line("请在应用内处理欠费，一路平安", "Goodbye: please open the app, something is owed")
_STAFF: Final = Line("设备故障，请呼叫工作人员", "Out of order: please call staff")
_NOT_A_CODE: Final = Line("不是停车码，请出示停车码", "Not a parking code: please show yours")
_NOT_HERE: Final = Line("此码不适用于本停车场", "This code is not for this car park")
_CLOCK: Final = Line("请校准手机时间后重试", "Please set your phone's clock, then try again")
_FALSE: Final = Line("停车码无效，请呼叫工作人员", "This code is not genuine: please call staff")

_REFUSALS: Final = {
    "too_long": _NOT_A_CODE,
    "bad_prefix": _NOT_A_CODE,
    "bad_base45": _NOT_A_CODE,
    "bad_length": _NOT_A_CODE,
    "bad_version": Line("设备需升级，请呼叫工作人员", "This gate is too old for the code: please call staff"),
    "unknown_kid": _NOT_HERE,
    "kid_expired": _NOT_HERE,
    "wrong_product": _NOT_HERE,
    "not_yet_valid": _CLOCK,
    "code_from_future": _CLOCK,
    "credential_expired": Line("请联网打开应用后重试", "Please open the app with a network, then try again"),
    "code_stale": Line("停车码已过期，请勿使用截图", "Code too old: show the live code, not a picture"),
    "denied": Line("卡已停用，请打开应用查看", "This card cannot be used: please open the app"),
    "replayed": Line("停车码已使用，请等待刷新", "Code already used: wait for the next one"),
    "over_ceiling": Line("请先到缴费机缴费", "Please pay at the machine first"),
    "bad_issuer_signature": _FALSE,
    "bad_code_signature": _FALSE,
    "no_bundle": _STAFF,
    "bundle_expired": _STAFF,
    "clock_behind": _STAFF,
    "wrong_direction": Line("请走其他车道", "Wrong lane: please use another one"),
    "passback": Line("此卡刚已通过，请呼叫工作人员", "This card has just passed: please call staff"),
    "risk": Line("请呼叫工作人员", "Please call staff"),
    JOURNAL_FULL: _STAFF,
    MEDIUM_NOT_ENABLED: Line("请出示停车码", "Please show your parking code"),
    NOTHING_READ: Line("未能识别，请重试", "Nothing was read: please try again"),
}


def line_of(reason: str, *, direction: str, opened: bool) -> Line:
    """What to show for a decision. A flag beside an open barrier is not the driver's business."""
    if not opened:
        return _REFUSALS[reason]
    if direction == "entry":
        return _WELCOME
    return _GOODBYE_DENIED if reason == "denied" else _GOODBYE
