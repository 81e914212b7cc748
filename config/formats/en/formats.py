"""How does the console write a time? Everywhere alike, in its own time zone.

Django's templates, tables and pages of records ask here. With the seconds and the name of
the zone where a time stands on record; without them where people work on what is near, and
the whole of it appears over the short form.
"""

from __future__ import annotations

DATETIME_FORMAT = "Y-m-d H:i:s T"
SHORT_DATETIME_FORMAT = "Y-m-d H:i"
DATE_FORMAT = SHORT_DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s"
