"""What commands read of tariffs: a file in PTL/1, and times on its clock."""

from pathlib import Path

import click

from parkflow.core import Tariff, TariffError
from parkflow.kit.errors import ParkflowError
from parkflow.tariff.templates import ready_texts


class TariffFileInvalid(ParkflowError):
    """A tariff file is a YAML or JSON text in the language PTL/1."""

    code = "tariff_file_invalid"
    status = 422


def load_file(file: Path) -> Tariff:
    """Read and parse a tariff file, which may start from a ready tariff. Raises TariffFileInvalid."""
    try:
        return Tariff.load(file.read_text(encoding="utf-8"), ready_texts())
    except TariffError as error:
        raise TariffFileInvalid(f"{file}: {error.message}") from None
    except OSError as error:
        raise TariffFileInvalid(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TariffFileInvalid(f"{file}: is not UTF-8 text") from None


def option_instant_s(loaded: Tariff, option: str, text: str) -> int:
    """The instant that a command's option names, local to the tariff or with offset; seconds since 1970, UTC."""
    instant_s = loaded.instant_s(text)
    if instant_s is None:
        raise click.BadParameter(f"{option} needs a time such as 2017-10-20T08:00 or 2017-10-20T08:00-04:00")
    return instant_s
