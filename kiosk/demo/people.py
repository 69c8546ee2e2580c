"""Twelve patients who do not exist, each in a character set that real archives use (PS3.3 C.12.1.1.2)."""

from dataclasses import dataclass
from datetime import date
from typing import Final

ISSUER: Final = "DEMO HOSPITAL"

LATIN: Final = ("ISO_IR 100",)
CYRILLIC: Final = ("ISO_IR 144",)
CHINESE: Final = ("GB18030",)
JAPANESE: Final = ("", "ISO 2022 IR 87")
JAPANESE_KATAKANA: Final = ("ISO 2022 IR 13", "ISO 2022 IR 87")
UNICODE: Final = ("ISO_IR 192",)


@dataclass(frozen=True)
class DemoPatient:
    """A made-up patient. Names are PN values: family^given, component groups joined by = (PS3.5 6.2.1.2)."""

    patient_id: str
    name: str
    birth_date: date
    sex: str
    character_set: tuple[str, ...]
    referring_physician: str
    issuer: str = ISSUER


PATIENTS: Final = (
    DemoPatient("DH-100234", "Müller^Jörg", date(1954, 3, 12), "M", LATIN, "Weiß^Käthe^^Dr."),
    DemoPatient("DH-100871", "Núñez García^María José", date(1987, 11, 2), "F", LATIN, "Peña^Íñigo^^Dr."),
    DemoPatient("DH-101456", "Åström^Björn^Håkan", date(1969, 6, 30), "M", LATIN, "Sjögren^Åsa^^Dr."),
    DemoPatient("DH-102003", "Иванов^Сергей^Петрович", date(1948, 1, 25), "M", CYRILLIC, "Соколова^Ирина"),
    DemoPatient("DH-102340", "Кузнецова^Анна^Львовна", date(1992, 9, 8), "F", CYRILLIC, "Щербаков^Юрий"),
    DemoPatient("DH-103112", "Chen^XiuYing=陈^秀英", date(1961, 2, 14), "F", CHINESE, "Zhou^Wei=周^伟"),
    DemoPatient("DH-103118", "Liu^JianGuo=刘^建国", date(1953, 10, 1), "M", CHINESE, "Zhao^Min=赵^敏"),
    DemoPatient("DH-104020", "Tanaka^Hanako=田中^花子=たなか^はなこ", date(1975, 5, 5), "F", JAPANESE,
                "Kobayashi^Takashi=小林^隆=こばやし^たかし"),
    DemoPatient("DH-104377", "ｽｽﾞｷ^ｹﾝｼﾞ=鈴木^健二=すずき^けんじ", date(1939, 12, 24), "M", JAPANESE_KATAKANA,
                "ｲﾄｳ^ﾕﾐ=伊藤^由美=いとう^ゆみ"),
    DemoPatient("DH-105501", "Ó Briain^Siobhán^Máire", date(2001, 7, 19), "F", UNICODE, "Łukasiewicz^Paweł^^dr"),
    DemoPatient("DH-105777", "Nguyễn^Thị Hương", date(1979, 4, 3), "F", UNICODE, "Trần^Văn Đức"),
    DemoPatient("DH-106050", "Kim^Minjun=김^민준=김^민준", date(2015, 8, 28), "M", UNICODE, "Lee^Seoyeon=이^서연"),
)  # fmt: skip
