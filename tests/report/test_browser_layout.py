"""The page as it is seen: on a phone, on paper, by the keyboard, by weak eyes."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import drive, find_chromium, printed_pages

from poems.report import write_report

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium to open it")

PHONE = 390
# Text whose colour stands out too little from what is behind it (WCAG 2, level AA).
CONTRAST = """
const lum=c=>{const f=c.map(v=>{v/=255;return v<=.03928?v/12.92:((v+.055)/1.055)**2.4});
  return .2126*f[0]+.7152*f[1]+.0722*f[2]};
const rgb=s=>{const m=s.match(/[\\d.]+/g).map(Number);
  return m.length>3&&m[3]===0?null:m.slice(0,3)};
const behind=e=>{for(let n=e;n;n=n.parentElement){const c=rgb(getComputedStyle(n).backgroundColor);
  if(c)return c}return [255,255,255]};
const faint=()=>{const found=new Set();
  for(const e of document.querySelectorAll('body *')){
    const own=[...e.childNodes].some(n=>n.nodeType===3&&n.textContent.trim());
    if(!own||!e.getClientRects().length||e.disabled)continue;
    const style=getComputedStyle(e), ink=rgb(e instanceof SVGElement?style.fill:style.color);
    if(!ink)continue;
    const [a,b]=[lum(ink),lum(behind(e))].sort((x,y)=>y-x), size=parseFloat(style.fontSize);
    const large=size>=24||(size>=18.66&&style.fontWeight>=600);
    if((a+.05)/(b+.05)<(large?3:4.5))found.add(e.tagName+'.'+e.className+' '+style.color);
  } return [...found]};
"""
# Letters of the drawings that are less than 8 pixels high: each is a hundredth of its size large.
LETTERS = """
out.letters=0;out.small={};
for(const i of document.querySelectorAll('figure img[src*="svg+xml"]')){
  if(!i.clientWidth)continue;
  const text=atob(i.src.split(',')[1]), room=Number(/viewBox="0 0 ([\\d.]+)/.exec(text)[1]);
  const sizes=[...text.matchAll(/scale\\((0?\\.\\d+) -/g)].map(m=>100*m[1]*i.clientWidth/room);
  out.letters+=sizes.length;
  if(Math.min(...sizes)<7.9)out.small[i.closest('figure').id]=Math.min(...sizes);
}
"""
# Pairs of texts within a drawing that lie on one another.
OVERLAPS = """
const overlaps=img=>{
  const bytes=Uint8Array.from(atob(img.src.split(',')[1]),c=>c.charCodeAt(0));
  // The page's policy refuses styles that are written down, without which texts have another size.
  const text=new TextDecoder().decode(bytes).replace(/<style[^]*?<.style>/g,'')
    .replace(/ style="/g,' data-style="');
  const svg=new DOMParser().parseFromString(text,'image/svg+xml').documentElement;
  document.body.appendChild(svg);
  svg.querySelectorAll('[data-style]').forEach(e=>{e.style.cssText=e.dataset.style});
  // The box of a slanted text is larger than the text: nothing is seen by it.
  const angle=g=>Number((/rotate\\((-?[\\d.]+)/.exec(g.innerHTML)||[0,0])[1]);
  const boxes=[...svg.querySelectorAll('g[id^=text_]')].filter(g=>angle(g)%90===0)
    .map(g=>g.getBoundingClientRect())
    .filter(b=>b.width>1&&b.height>1);
  svg.remove();out.texts+=boxes.length;let n=0;
  boxes.forEach((a,i)=>boxes.slice(i+1).forEach(b=>{
    const w=Math.min(a.right,b.right)-Math.max(a.left,b.left);
    const h=Math.min(a.bottom,b.bottom)-Math.max(a.top,b.top);
    if(w>0&&h>0&&w*h>.2*Math.min(a.width*a.height,b.width*b.height))n+=1}));
  return n};
"""


def test_on_a_phone_nothing_sticks_out_and_all_can_be_read(page_text: str, tmp_path: Path) -> None:
    found, _ = drive(
        page_text,
        CONTRAST + "document.querySelectorAll('details').forEach(d=>d.open=true);"
        "out.width=innerWidth;out.wide=document.documentElement.scrollWidth-innerWidth;"
        "out.out=[...document.querySelectorAll('p,li,h1,h2,h3,h4,figure,img,.controls,summary')]"
        ".filter(e=>e.getClientRects().length&&!e.closest('.scroll,.pan')"
        "&&e.getBoundingClientRect().right>innerWidth+1).map(e=>e.tagName+'#'+e.id+e.className);"
        "out.faint=faint();" + LETTERS,
        tmp_path,
        width=PHONE,
    )
    assert found["errors"] == []
    assert found["width"] == PHONE
    assert found["wide"] <= 0
    assert found["out"] == []
    assert found["faint"] == []
    assert found["letters"] > 20, "letters of the pictures were looked at"
    assert found["small"] == {}


def test_every_picture_says_what_it_shows_and_where_its_numbers_are(
    page_text: str, tmp_path: Path
) -> None:
    found, _ = drive(
        page_text,
        OVERLAPS + "const figures=[...document.querySelectorAll('figure')];out.n=figures.length;"
        "out.mute=figures.filter(f=>!(f.querySelector('img')?.alt.length>20||"
        "f.querySelector('[aria-label]'))).map(f=>f.id);"
        "out.bare=figures.filter(f=>!f.querySelector('figcaption code')&&"
        "!/\\.csv/.test(f.textContent)&&!f.closest('section,.panel').querySelector('table'))"
        ".map(f=>f.id);"
        "out.lap={};out.texts=0;"
        "for(const i of document.querySelectorAll('img[src*=\"svg+xml\"]')){"
        "const n=overlaps(i);if(n)out.lap[i.closest('figure').id]=n}",
        tmp_path,
    )
    assert found["errors"] == []
    assert found["n"] > 5
    assert found["mute"] == []
    assert found["bare"] == []
    assert found["texts"] > 50, "texts of the drawings were looked at"
    assert found["lap"] == {}


def test_the_keyboard_reaches_every_panel_and_what_is_folded(
    page_text: str, tmp_path: Path
) -> None:
    found, _ = drive(
        page_text,
        "const shown=p=>[...p.querySelectorAll(':scope > .panel')].map(e=>!e.hidden);"
        "out.stuck=[];for(const p of document.querySelectorAll('.picker')){"
        "const n=shown(p).length;if(n<2)continue;"
        "const next=[...p.querySelectorAll(':scope > .controls button')][1];"
        "for(let i=0;i<n;i+=1){if(shown(p).indexOf(true)!==i||shown(p).filter(Boolean).length!==1"
        "||next.tabIndex<0)out.stuck.push(p.id+i);if(i<n-1)next.click();}"
        "if(!next.disabled)out.stuck.push(p.id)}"
        "const folds=[...document.querySelectorAll('details > summary')];out.folds=folds.length;"
        "out.unreachable=[...document.querySelectorAll('a,button,select,input,summary')]"
        ".filter(e=>e.tabIndex<0).length;"
        "location.hash='#glossary';dispatchEvent(new Event('hashchange'));"
        "out.open=document.getElementById('glossary').open;",
        tmp_path,
    )
    assert found["errors"] == []
    assert found["stuck"] == []
    assert found["unreachable"] == 0
    assert found["folds"] > 4
    assert found["open"], "a link into a fold opens it"


def test_the_first_screen_of_a_laptop_holds_verdict_pictures_and_cautions(
    page_text: str, tmp_path: Path
) -> None:
    found, _ = drive(
        page_text,
        "const bottom=s=>document.querySelector(s).getBoundingClientRect().bottom;"
        "out.verdict=bottom('.verdict');out.pictures=bottom('.beside img');"
        "out.cautions=bottom('.cautions li');out.summary=bottom('#summary');"
        "out.buttons=[...document.querySelectorAll('#printing button')].map(b=>b.textContent);"
        "const calls=[];window.print=()=>calls.push([document.documentElement.className,"
        "[...document.querySelectorAll('details')].filter(d=>!d.open).length]);"
        "document.querySelectorAll('#printing button').forEach(b=>b.click());"
        "out.calls=calls;out.after=document.documentElement.className;"
        "out.again=[...document.querySelectorAll('details')].filter(d=>d.open).length;",
        tmp_path,
        width=1366,
    )
    assert found["errors"] == []
    assert found["verdict"] < 300
    assert found["pictures"] < 700
    assert found["cautions"] < 768
    assert found["summary"] < 1.5 * 768
    assert found["buttons"] == ["Print what is open", "Print all"]
    (plain, closed), (everything, left) = found["calls"]
    assert (plain, everything, left) == ("", "print-all", 0)
    assert closed > 4
    assert (found["after"], found["again"]) == ("", 0), "as it was before"


def test_print_is_twelve_pages_at_most_and_the_brief_report_two(
    page_text: str, full_run: Path, tmp_path: Path
) -> None:
    assert printed_pages(page_text, tmp_path) <= 12
    brief = write_report(
        full_run, tmp_path / "brief.html", labels="label", time="time", event="event", brief=True
    )
    assert printed_pages(brief.path.read_text(encoding="utf-8"), tmp_path) <= 2
