"""Results as one HTML page that needs nothing else: no network, no server, no other file.

``inputs`` reads files, ``kinds`` says what is worth showing of each kind of result, ``figures``
makes drawings of plain values, and ``page`` puts all of it into one file with Plotly, style and
script.
"""

from counterpoint.report.html.content import Report
from counterpoint.report.html.inputs.reading import Result, document_of, read
from counterpoint.report.html.writing import report_of, write_report

__all__ = ["Report", "Result", "document_of", "read", "report_of", "write_report"]
