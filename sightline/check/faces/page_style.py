"""How the page of a check looks, beside the style that all reports share."""

# The colours of the severities differ in lightness too, for those who cannot tell red from green (Okabe and Ito 2008).
CHECK = """
:root{--error:#b3261e;--warning:#8a5a00;--advice:#0a62a9;--new:#e3f2ea;--new-ink:#0b5c3b;--on:#fff;--meant:#fdeeda}
@media (prefers-color-scheme:dark){:root{--error:#ff8a7a;--warning:#f0c04a;--advice:#62b2f2;--new:#17352a;
--new-ink:#8fe0b8;--on:#13161a;--meant:#3a2d1a}}
.verdict.warn{border-color:var(--error)}
.verdict p+p{color:var(--soft)}
nav ol{list-style:none;margin:16px 0 0;padding:0}
nav li{margin:0;max-width:none;border-top:1px solid var(--grid)}
nav li:first-child{border-top:0}
nav a{display:grid;grid-template-columns:96px minmax(0,1fr);gap:12px;align-items:baseline;padding:8px 4px;
color:var(--ink);text-decoration:none}
nav a:hover span:last-child,nav a:focus-visible span:last-child{text-decoration:underline}
.badge{display:inline-flex;align-items:center;gap:6px;font-size:13px;font-weight:650;color:var(--badge);
white-space:nowrap}
.badge i{display:inline-grid;place-items:center;width:18px;height:18px;font-style:normal;font-size:11px;
line-height:1;font-weight:700;background:var(--badge);color:var(--on)}
.badge.error{--badge:var(--error)}.badge.warning{--badge:var(--warning)}.badge.advice{--badge:var(--advice)}
.badge.error i{border-radius:3px}.badge.advice i{border-radius:50%}
.badge.warning i{clip-path:polygon(50% 0,100% 100%,0 100%);padding-top:5px}
article{margin-top:44px;padding-top:24px;border-top:1px solid var(--line)}
article h2{margin:4px 0 10px;font-size:21px;letter-spacing:-.005em;overflow-wrap:anywhere}
article h3{font-size:15px;margin:22px 0 4px}
.kind{display:flex;flex-wrap:wrap;gap:4px 14px;align-items:center;margin:0}
.kind code{color:var(--soft)}
.where{font-size:14px;margin:14px 0 4px}
.where b{font-weight:600}
.excerpt,.fix{padding:8px 0;margin:4px 0}
.line{display:grid;grid-template-columns:3.6em 1fr;min-width:max-content;padding-right:16px}
.line .at{color:var(--soft);text-align:right;padding-right:14px;user-select:none}
.excerpt .line{color:var(--soft)}
.excerpt .meant{background:var(--meant);color:var(--ink)}
.excerpt u{text-decoration:none}
.excerpt .meant u{text-decoration:underline;text-decoration-color:var(--other);text-decoration-thickness:2px;
text-underline-offset:4px;text-decoration-skip-ink:none}
.fix .line{grid-template-columns:2em 1fr;color:var(--soft)}
.fix .new{background:var(--new);color:var(--new-ink)}
.fix .new .at{color:var(--new-ink);font-weight:700}
.numbers{display:flex;flex-wrap:wrap;gap:12px 36px;margin:16px 0}
.numbers div{min-width:min(220px,100%);max-width:340px;padding-left:12px;border-left:3px solid var(--line)}
.numbers dt{font-size:13px}
.numbers .value{font-size:22px;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums;margin:0;
overflow-wrap:anywhere}
.numbers .text{font-size:16px}
.numbers dd:last-child{font-size:14px;color:var(--soft);margin:0}
.tried{width:auto}
.tried th,.tried td{padding-right:32px}
.tried th:last-child,.tried td:last-child{padding-right:0}
.tried th.num{text-align:right}
.tried th[scope=row]{font-weight:400;font-size:16px;color:var(--ink);border-top:1px solid var(--grid);
vertical-align:middle;padding-top:6px;padding-bottom:6px;white-space:nowrap}
.tried .best th[scope=row],.tried .best td{font-weight:650}
.pictures>div{display:grid;gap:28px 36px;margin-top:16px}
.pictures figure{max-width:640px}
@media (min-width:1250px){.pictures .several{grid-template-columns:1fr 1fr;width:1200px;margin-left:calc(50% - 600px)}}
.pictures img{display:block;width:100%;height:auto}
@media (max-width:640px){article{margin-top:32px}nav a{grid-template-columns:1fr;gap:2px}
.tried th,.tried td{padding-right:12px}.tried th[scope=row]{white-space:normal;font-size:15px}}
@media print{article,figure{break-inside:avoid}.line{min-width:0}.line span:last-child{white-space:pre-wrap}}
"""
