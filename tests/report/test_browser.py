"""The page in headless Chromium: it sorts, searches, picks, and runs nothing of the data."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import drive, find_chromium
from hostile_names import END, HOSTILE, SCRIPT

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium to open it")

# What a user does, as functions that the tests call.
HELP = """
const $=(q,r=document)=>r.querySelector(q), all=(q,r=document)=>[...r.querySelectorAll(q)];
const table=id=>$('#'+id+' table');
const seen=(id,at)=>all('tbody tr',table(id)).filter(r=>!r.hidden).map(r=>r.cells[at].textContent);
const orders=(id,at)=>all('tbody tr',table(id)).map(r=>r.cells[at].dataset.order);
const head=(id,at)=>table(id).tHead.rows[0].cells[at];
const click=(id,at)=>$('button',head(id,at)).click();
const type=(box,text)=>{box.value=text;box.dispatchEvent(new Event('input'))};
const choose=(box,at)=>{box.selectedIndex=at;box.dispatchEvent(new Event('change'))};
"""


def test_it_opens_without_errors_and_runs_nothing_of_the_data(
    page_text: str, tmp_path: Path
) -> None:
    found, console = drive(
        page_text,
        HELP + "out.hacked=window.hacked||0;out.images=all('img').length;"
        "out.broken=all('img').filter(i=>!i.naturalWidth).length;"
        "out.cells=all('th[scope=row]').map(c=>c.textContent.trim());"
        "out.wide=document.documentElement.scrollWidth-innerWidth;",
        tmp_path,
    )
    assert found["errors"] == []
    assert console == ""
    assert found["hacked"] == 0
    assert found["images"] > 3
    assert found["broken"] == 0, "pictures are drawn in spite of the policy"
    assert set(HOSTILE) <= set(found["cells"])
    assert found["wide"] <= 0, "the page does not scroll sideways"


def test_a_script_that_the_policy_does_not_name_is_not_run(page_text: str, tmp_path: Path) -> None:
    added = page_text.replace("</main>", "<script>window.hacked=1</script></main>", 1)
    found, _ = drive(added, "out.hacked=window.hacked||0", tmp_path)
    assert found["hacked"] == 0
    assert found["errors"] == ["script-src-elem"]


def test_tables_sort_by_number_and_by_text(page_text: str, tmp_path: Path) -> None:
    pairs = "'cross-omic-pairs'"
    found, _ = drive(
        page_text,
        HELP + f"out.before=head({pairs},5).getAttribute('aria-sort');"
        f"click({pairs},5);out.down=orders({pairs},5).map(Number);"
        f"out.said=head({pairs},5).getAttribute('aria-sort');"
        f"click({pairs},5);out.up=orders({pairs},5).map(Number);out.first=seen({pairs},5).length;"
        f"click({pairs},0);out.text=all('tbody tr',table({pairs})).map(r=>r.cells[0].textContent);"
        f"out.others=head({pairs},5).getAttribute('aria-sort');"
        f"out.button=$('button',head({pairs},5)).tabIndex;",
        tmp_path,
    )
    assert found["errors"] == []
    assert found["before"] == "none"
    assert found["said"] == "descending"
    assert len(found["down"]) == 80
    assert found["down"] == sorted(found["down"], reverse=True)
    assert found["up"] == sorted(found["up"])
    assert found["first"] == 25, "a page of the table"
    assert found["others"] == "none"
    runs = [a for a, b in zip(found["text"], [None, *found["text"]], strict=False) if a != b]
    assert len(runs) == 10, "equal texts stand together"
    assert found["button"] == 0, "the keyboard reaches it"


def test_tables_are_searched_and_turned(page_text: str, tmp_path: Path) -> None:
    pairs = "'cross-omic-pairs'"
    found, _ = drive(
        page_text,
        HELP + f"const box=$('#cross-omic-pairs input');type(box,'<SCRIPT> µrna');"
        f"out.found=all('tbody tr',table({pairs})).filter(r=>!r.hidden).map(r=>r.textContent);"
        "type(box,'no such name');out.none=$('#cross-omic-pairs .controls').textContent;"
        f"out.left=seen({pairs},0).length;type(box,'');"
        f"const one=seen({pairs},0).length;"
        "const next=all('#cross-omic-pairs .controls button')[1];"
        "next.click();next.click();next.click();"
        f"out.last=seen({pairs},0).length;out.off=next.disabled;out.one=one;",
        tmp_path,
    )
    assert found["errors"] == []
    assert found["found"]
    assert all("<script>" in row and "µRNA" in row for row in found["found"])
    assert found["left"] == 0
    assert "no row matches" in found["none"]
    assert (found["one"], found["last"], found["off"]) == (25, 5, True)


def test_the_pickers_show_one_at_a_time(page_text: str, tmp_path: Path) -> None:
    found, _ = drive(
        page_text,
        HELP + "const shown=()=>all('#factor-picker > .panel').filter(p=>!p.hidden)"
        ".map(p=>p.dataset.title);"
        "const box=$('#factor-picker select');out.first=shown();choose(box,1);out.second=shown();"
        "const [previous,next]=all('#factor-picker > .controls button');previous.click();"
        "out.back=shown();out.start=previous.disabled;next.click();out.next=shown();"
        "out.panels=all('#factor-picker > .panel').length;"
        "out.options=all('option',box).map(o=>o.textContent);out.focus=box.tabIndex;",
        tmp_path,
    )
    assert found["errors"] == []
    assert found["first"] == found["back"] == ["Factor 1"]
    assert found["second"] == found["next"] == ["Factor 2"]
    assert found["start"] is True
    assert len(found["options"]) == found["panels"] > 1
    assert found["focus"] == 0


def test_the_map_tells_names_and_colours(page_text: str, tmp_path: Path) -> None:
    found, _ = drive(
        page_text,
        HELP + "const dots=all('#map .plot > svg circle'),told=$('#map .told');"
        "out.dots=dots.length;"
        "dots.find(d=>d.dataset.at==='0').dispatchEvent("
        "new MouseEvent('mousemove',{bubbles:true}));"
        "out.told=told.textContent;const svg=$('#map .plot > svg');"
        "svg.dispatchEvent(new KeyboardEvent('keydown',{key:'ArrowRight'}));"
        "out.moved=told.textContent;"
        "const boxes=all('#map select');out.columns=all('option',boxes[0]).map(o=>o.textContent);"
        "const before=dots.map(d=>d.getAttribute('fill'));choose(boxes[0],2);"
        "out.legend=$('#map .legend').textContent;"
        "out.recoloured=dots.some((d,i)=>d.getAttribute('fill')!==before[i]);"
        "const x=dots[3].getAttribute('cx');choose(boxes[1],1);"
        "out.turned=dots[3].getAttribute('cx')!==x;"
        "type($('#map input'),'onerror');out.searched=told.textContent;"
        "out.hacked=window.hacked||0;",
        tmp_path,
    )
    assert found["errors"] == []
    assert found["dots"] == 60
    assert found["told"].startswith(f"{END} – Subtype: S")
    assert found["moved"] != found["told"]
    assert found["columns"][:3] == ["Subtype", END, "label"]
    assert SCRIPT in found["legend"]
    assert found["recoloured"]
    assert found["turned"]
    assert found["searched"].startswith(END)
    assert found["hacked"] == 0
