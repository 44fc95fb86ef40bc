"""A run as other programs take it: a folder of CSV files, an Excel workbook, a MuData file."""

from poems.export.csv_folder import export_csv
from poems.export.h5mu import export_h5mu
from poems.export.workbook import export_workbook

__all__ = ["export_csv", "export_h5mu", "export_workbook"]
