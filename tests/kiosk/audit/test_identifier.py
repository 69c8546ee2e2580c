"""The identifier of a query reads as the DICOM data set it says it is."""

from io import BytesIO

import pydicom

from kiosk.audit import encode_identifier


def test_an_identifier_reads_back_in_implicit_vr_little_endian() -> None:
    keys = {
        0x0020000D: "1.2.3",
        0x00080052: "STUDY",
        0x00100010: "Иванов*",
        0x00100020: "",
        0x00080061: "CT\\MR",
        0x00080020: "20260101-",
    }
    dataset = pydicom.dcmread(BytesIO(encode_identifier(keys)), force=True)
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert dataset.QueryRetrieveLevel == "STUDY"
    assert dataset.PatientName == "Иванов*"
    assert dataset.PatientID == ""
    assert dataset.ModalitiesInStudy == ["CT", "MR"]
    assert dataset.StudyInstanceUID == "1.2.3"
    assert dataset.StudyDate == "20260101-"
    assert [element.tag for element in dataset] == sorted({*keys, 0x00080005})
    assert encode_identifier(keys).count(b"1.2.3\0") == 1
