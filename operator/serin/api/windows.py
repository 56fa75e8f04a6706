"""When a rollout may advance: windows that come back every week, and freezes that come once."""

from typing import Annotated

from pydantic import AfterValidator, Field

from serin.api.lists import LIST_ATOMIC, LIST_SET, unique_values
from serin.api.resource import ApiModel, Timestamp
from serin.api.rules import Rule
from serin.api.text import Shape
from serin.api.times import DAYS, Day, time_zone

WINDOWS_MAX = 16
FREEZES_MAX = 16

TIME_OF_DAY = Shape(
    r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
    'must be a time of day from "00:00" to "24:00" such as "09:30", in quotes',
    5,
)
# The shape alone: whether a zone is known depends on the time zone database of whoever is asked, and an API server may
# have none. A zone that is not known is said by the operator.
TIME_ZONE = Shape(
    r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
    "must be the name of a time zone such as UTC or Europe/Berlin",
    64,
)


def _known(name: str) -> str:
    if time_zone(name) is None:
        raise ValueError(f"there is no time zone {name}; take a name of the IANA database such as Europe/Berlin")
    return name


class Window(ApiModel):
    """A span of the week in which a rollout may advance."""

    days: Annotated[
        list[Day],
        Field(default_factory=lambda: list(DAYS), min_length=1, max_length=7, json_schema_extra=LIST_SET),
        AfterValidator(unique_values),
    ]
    """The days on which it begins: Mon, Tue, Wed, Thu, Fri, Sat, Sun. All of them when not given."""
    from_: Annotated[str, TIME_OF_DAY, Field(alias="from")] = "00:00"
    """When it begins, by the clock of the time zone: "09:00"."""
    to: Annotated[str, TIME_OF_DAY] = "24:00"
    """When it ends. Before `from` it means the next day: from "22:00" to "04:00"."""
    timezone: Annotated[str, TIME_ZONE, AfterValidator(_known)] = "UTC"
    """The time zone of both, by its name in the IANA database: Europe/Berlin. Summer time is minded."""

    RULES = (
        Rule(
            cel="self.from != self.to && self.from != '24:00'",
            message="from must be another time than to, and before 24:00; leave both out for the whole day",
            holds=lambda window: window.from_ not in (window.to, "24:00"),
            field="from",
        ),
    )


class Freeze(ApiModel):
    """A time in which no rollout advances, whatever the windows say."""

    from_: Annotated[Timestamp, Field(alias="from")]
    """When it begins: 2026-12-19T00:00:00Z."""
    to: Timestamp
    """When it ends."""
    reason: Annotated[str, Field(max_length=256)] | None = None
    """Why, for people: it stands in the message of the hold."""

    RULES = (
        Rule(
            cel="self.from < self.to",
            message="from must be before to; exchange the two, or correct the year",
            holds=lambda freeze: freeze.from_ < freeze.to,
            field="from",
        ),
    )


Windows = Annotated[list[Window], Field(max_length=WINDOWS_MAX, json_schema_extra=LIST_ATOMIC)]
Freezes = Annotated[list[Freeze], Field(max_length=FREEZES_MAX, json_schema_extra=LIST_ATOMIC)]
