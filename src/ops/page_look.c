/* SPDX-License-Identifier: ISC */
#include "ops/page_look.h"

#include <stddef.h>

/* C promises no more than 4095 bytes in one literal. The colours of the charts
 * are those of Okabe and Ito, a shade darker or lighter where that is needed to
 * stand out from the card: 3 to 1, texts 4.5 to 1. */

const char *const page_look_style[] = {
    ":root{color-scheme:light dark;--bg:#f3f5f8;--card:#fff;--ink:#1a2130;"
    "--soft:#566072;--line:#dde2ea;--good:#17693f;--good-bg:#e0f3e8;"
    "--bad:#9b2415;--bad-bg:#fde9e5;--link:#1857a8;"
    "--c0:#0072b2;--c2:#d55e00;--c3:#a4508b;--c5:#858c98;--c7:#00875f}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#0f1318;--card:#181d25;"
    "--ink:#e9edf3;--soft:#a6b0bf;--line:#2c3440;--good:#6fdba4;"
    "--good-bg:#12352a;--bad:#ffa496;--bad-bg:#44201b;--link:#8ab8ff;"
    "--c0:#4aa8e8;--c2:#f08438;--c3:#d48cc0;--c5:#8893a3;--c7:#27c496}}\n",

    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:68rem;padding:1.5rem 1rem 3rem;"
    "background:var(--bg);color:var(--ink);"
    "font:16px/1.5 system-ui,sans-serif;"
    "font-variant-numeric:tabular-nums}\n"
    "header{display:flex;flex-wrap:wrap;align-items:center;gap:.25rem 1rem;"
    "margin:0 0 1.25rem}\n"
    "h1{font-size:1.6rem;line-height:1.2;margin:0;overflow-wrap:anywhere}\n"
    "h1 span{color:var(--soft);font-weight:400}\n"
    "h2{font-size:1.15rem;line-height:1.3;margin:0 0 .15rem}\n"
    "p{margin:0}header p,h2+p,footer{color:var(--soft)}"
    "h2+p,footer{font-size:.9rem}h2+p{margin-bottom:.75rem}\n"
    "header .since{flex-basis:100%}\n"
    ".pill,.alarm{border-radius:1rem;padding:.15rem .8rem;font-weight:600}\n"
    "header .pill{color:var(--good);background:var(--good-bg)}\n"
    "header .pill.bad{color:var(--bad);background:var(--bad-bg)}\n"
    ".alarm{color:var(--bad);background:var(--bad-bg);border-radius:.6rem;"
    "padding:.7rem 1rem;margin:0 0 1rem;list-style:none}\n",

    ".cards{display:grid;gap:.75rem;margin:0 0 1rem;"
    "grid-template-columns:repeat(auto-fit,minmax(10rem,1fr))}\n"
    ".cards div,section{background:var(--card);border-radius:.7rem;"
    "border:1px solid var(--line);padding:1rem 1.1rem}\n"
    ".cards div{display:flex;flex-direction:column}\n"
    ".cards dt{order:1;font-size:.95rem;line-height:1.35}"
    ".cards dd{margin:0}.cards .big{font-size:1.75rem;font-weight:650;"
    "line-height:1.25}.cards .more{order:2;color:var(--soft);"
    "font-size:.85rem;margin-top:.15rem}\n"
    ".meter{display:block;width:100%;height:6px;margin:.35rem 0 .1rem}"
    ".meter .rail{fill:var(--line)}\n"
    "section{margin:0 0 1rem}\n"
    ".scroll{overflow-x:auto;border-radius:.3rem}"
    ".scroll:focus-visible,a:focus-visible{outline:2px solid var(--link);"
    "outline-offset:2px}\n"
    "table{border-collapse:collapse;width:100%;font-size:.95rem}"
    "th,td{padding:.45rem .7rem;text-align:right;white-space:nowrap;"
    "border-bottom:1px solid var(--line)}"
    "tbody tr:last-child>*{border-bottom:0}"
    "th:first-child,td:first-child{text-align:left;padding-left:0;"
    "white-space:normal;overflow-wrap:anywhere;min-width:8.5rem}"
    "th:last-child,td:last-child{padding-right:0}"
    "thead th{color:var(--soft);font-weight:500;font-size:.85rem}"
    "tbody th{font-weight:600}td.zero{color:var(--soft)}\n"
    "td.good{color:var(--good)}td.bad{color:var(--bad);font-weight:600}\n"
    "a{color:var(--link)}footer{margin-top:1.5rem}\n",

    ".chart svg{display:block;width:100%;height:auto}.narrow{display:none}\n"
    "text{font:13px system-ui,sans-serif;fill:var(--ink)}.axis,.soft{"
    "fill:var(--soft)}.end{text-anchor:end}.mid{text-anchor:middle}"
    ".strong{font-weight:600}.grid{stroke:var(--line)}"
    ".mark{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:6 4}\n"
    ".c0{fill:var(--c0)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}"
    ".c5{fill:var(--c5)}.c7{fill:var(--c7)}\n"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;"
    "padding:0;margin:0 0 .6rem;font-size:.9rem}\n"
    "@media(max-width:44rem){body{padding:1rem .75rem 2rem}"
    ".wide{display:none}.narrow{display:block}"
    ".cards{grid-template-columns:repeat(2,1fr)}"
    "section,.cards div{padding:.85rem .9rem}.cards .big{font-size:1.5rem}"
    "}\n"
    "@media print{body{max-width:none}section,.cards div{break-inside:avoid}"
    "}\n",
    NULL};

/* Who reads with a finger or a screen reader keeps his place. */
const char *const page_look_script[] = {
    "(()=>{'use strict';let busy=false;const all=s=>document."
    "querySelectorAll(s),by=i=>document.getElementById(i);\n"
    "const look=async()=>{if(busy||document.hidden||"
    "String(getSelection()))return;busy=true;try{\n"
    "const a=await fetch(location.pathname,{cache:'no-store',"
    "signal:AbortSignal.timeout(8000)});if(!a.ok)throw a.status;\n"
    "const d=new DOMParser().parseFromString(await a.text(),'text/html'),"
    "at=document.activeElement?.id,left={};\n"
    "for(const e of all('.scroll'))left[e.id]=e.scrollLeft;\n"
    "for(const n of['header','main'])document.querySelector(n)"
    ".replaceWith(d.querySelector(n));\n"
    "for(const i in left)if(by(i))by(i).scrollLeft=left[i];\n"
    "if(at)by(at)?.focus({preventScroll:true});by('lost').hidden=true\n"
    "}catch(e){by('lost').hidden=false}finally{busy=false}};\n"
    "setInterval(look,5000);"
    "document.addEventListener('visibilitychange',look)})()\n",
    NULL};
