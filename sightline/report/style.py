"""How the report looks: one style sheet, light and dark, wide and narrow."""

STYLE = """
:root{color-scheme:light dark;--page:#fff;--panel:#f4f6f8;--ink:#1a1e24;--soft:#57606c;--line:#d9dee4;--grid:#e8ebef;
--main:#0a62a9;--other:#b8520a;--tint:10,98,169}
@media (prefers-color-scheme:dark){:root{--page:#13161a;--panel:#1c2026;--ink:#e9ebee;--soft:#a3acb7;--line:#343b44;
--grid:#272d34;--main:#62b2f2;--other:#f29b54;--tint:98,178,242}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:880px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:30px;line-height:1.2;margin:0 0 8px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:20px;line-height:1.3;margin:48px 0 8px}
h3{font-size:15px;margin:24px 0 4px;overflow-wrap:anywhere}
p{margin:8px 0;max-width:68ch;overflow-wrap:anywhere}
.brand{color:var(--soft);font-size:13px;letter-spacing:.08em;text-transform:uppercase;margin:0 0 12px}
.lead{font-size:18px;color:var(--soft)}
.small,figcaption{font-size:14px;color:var(--soft)}
.verdict{margin:24px 0 0;padding:14px 18px;background:var(--panel);border-left:5px solid var(--main);border-radius:4px}
.verdict.warn{border-color:var(--other)}
.verdict p{margin:0}.verdict p+p{margin-top:4px}
.verdict b{font-weight:650}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:600;font-size:13px;color:var(--soft);text-align:left;vertical-align:bottom;padding:6px 12px 6px 0}
td{padding:6px 12px 6px 0;border-top:1px solid var(--grid);vertical-align:middle}
th:last-child,td:last-child{padding-right:0}
.num{text-align:right;white-space:nowrap}
.coef{table-layout:fixed}.coef .name{overflow-wrap:anywhere}
.coef th:first-child{width:24%}.coef th:nth-child(3){width:15%}.coef th:nth-child(4){width:23%}
.coef th:nth-child(5){width:8%}
.coef td.pic,.coef th.pic{padding:0 18px}
.coef td{padding-top:0;padding-bottom:0;height:30px}
.coef .between{color:var(--soft);font-size:14px}
.faint{color:var(--soft)}
svg{display:block;width:100%;overflow:visible}
svg text{fill:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}
.axis{stroke:var(--line)}.grid{stroke:var(--grid)}.zero{stroke:var(--soft);stroke-dasharray:2 3}
.mark{stroke:var(--main);stroke-width:2}.dot{fill:var(--main);stroke:var(--main);stroke-width:2}
.hollow{fill:var(--page);stroke:var(--main);stroke-width:2}
.limit{stroke:var(--other);stroke-width:1.5;stroke-dasharray:6 4}
svg text.limit-name{fill:var(--other)}
.bar{fill:var(--main)}.bar.other{fill:var(--other)}
.point{fill:var(--main);fill-opacity:.45}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(240px,1fr));gap:28px 36px;margin-top:20px}
figure{margin:0}figcaption{margin-bottom:10px}figcaption b{display:block;color:var(--ink);font-weight:600}
.plot{display:grid;grid-template-columns:52px minmax(0,1fr);column-gap:8px;padding-right:10px}
.scroll{overflow-x:auto}
.confusion{width:auto}.confusion td{text-align:center;border:2px solid var(--page);min-width:44px;padding:8px 6px}
.confusion th{padding:6px;max-width:16ch;overflow-wrap:break-word}
.confusion tr>:first-child{min-width:9ch;padding-left:0}
.wide{grid-column:1/-1}
.confusion tbody th{vertical-align:middle}.confusion thead th{text-align:center}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:6px 20px;margin:12px 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
pre{background:var(--panel);padding:14px 16px;border-radius:4px;overflow-x:auto;margin:8px 0;
font:14px/1.5 ui-monospace,Menlo,Consolas,monospace}
code{font:.92em ui-monospace,Menlo,Consolas,monospace}
ul{padding-left:20px;margin:8px 0}li{margin:4px 0;max-width:68ch;overflow-wrap:anywhere}
details summary{cursor:pointer;font-weight:600;font-size:15px;margin:20px 0 4px;overflow-wrap:anywhere}
footer{margin-top:56px;padding-top:14px;border-top:1px solid var(--line);color:var(--soft);font-size:13px}
@media (max-width:640px){
main{padding:24px 16px 48px}h1{font-size:24px}.lead{font-size:16px}h2{margin-top:36px}
.coef thead th:not(.pic){display:none}
.coef tr{display:grid;grid-template-columns:minmax(0,1fr) auto auto;column-gap:8px;padding:5px 0;
border-top:1px solid var(--grid)}
.coef thead tr{border:0}
.coef td{border:0;height:auto;padding:0}.coef th:first-child{width:auto}
.coef td.pic,.coef th.pic{grid-column:1/-1;grid-row:2;width:auto;padding:0 8px}
.coef .stat{display:none}
.about{display:none}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}
}
@media print{main{max-width:none}pre,.verdict{border:1px solid var(--line)}h2,figure,tr{break-inside:avoid}}
"""
