"""Names that would harm a careless page, template, spreadsheet or file."""

SCRIPT = "<script>window.hacked=1</script>"
END = "</script><img src=x onerror=window.hacked=1>"
FORMULA = "=cmd()|'a,b\"'"
HOSTILE = (SCRIPT, END, FORMULA, "{{ 7 * 7 }}", "naïve µRNA 基因", "`tick`")
