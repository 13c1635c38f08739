"""Texts that try to run a script, to load something or to leave the page, and where they may stand.

Each sets ``window.hacked``, or makes a request to ``THERE``.
"""

import itertools
import random

SNIPPETS = [
    # scripts and handlers
    "<script>window.hacked=1</script>",
    "<SCRIPT SRC=THERE/s.js></SCRIPT>",
    "<script type=module>import('THERE/m.js')</script>",
    "<scr<script>ipt>window.hacked=1</scr</script>ipt>",
    "<img src=x onerror=window.hacked=1>",
    "<img src=x onerror&#61;window.hacked=1>",
    "<img/src=x/onerror=window.hacked=1//>",
    '<img src="THERE/i.png" srcset="THERE/j.png 2x" loading=eager>',
    "<body onload=window.hacked=1>",
    "<b onmouseover=window.hacked=1 style=position:fixed;inset:0>b</b>",
    "<b id=turns name=hacked>b</b>",
    "<details open ontoggle=window.hacked=1><summary>s</summary></details>",
    "<input autofocus onfocus=window.hacked=1>",
    "<video autoplay onloadstart=window.hacked=1 src=THERE/v.mp4 poster=THERE/p.png></video>",
    "<audio src=THERE/a.mp3 autoplay></audio>",
    "<marquee onstart=window.hacked=1>m</marquee>",
    "<a href=# autofocus tabindex=1 onfocus=window.hacked=1 onclick=window.hacked=1>a</a>",
    "<b popover id=p onbeforetoggle=window.hacked=1>x</b><button popovertarget=p>b</button>",
    # SVG, MathML and changes of the parser's mode
    "<svg onload=window.hacked=1></svg>",
    "<svg><script>window.hacked=1</script></svg>",
    "<svg><animate onbegin=window.hacked=1 attributeName=x dur=1s></svg>",
    "<svg><a xlink:href=javascript:window.hacked=1><text y=9>x</text></a></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=window.hacked=1 />#x'></svg>",
    "<svg><image href=THERE/i.svg /><foreignObject><iframe src=THERE/f></foreignObject></svg>",
    "<svg><style><img src=x onerror=window.hacked=1></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hacked=1>",
    "<math href=javascript:window.hacked=1>m</math>",
    "<noscript><p title='</noscript><img src=x onerror=window.hacked=1>'>",
    "<template><img src=x onerror=window.hacked=1></template>",
    "<textarea></textarea><img src=x onerror=window.hacked=1>",
    "<xmp><p title='</xmp><img src=x onerror=window.hacked=1>'>",
    "<!--><img src=x onerror=window.hacked=1>-->",
    "<![CDATA[><img src=x onerror=window.hacked=1>]]>",
    "<?x <img src=x onerror=window.hacked=1> ?>",
    # frames, forms, documents
    "<iframe srcdoc='<script>top.hacked=1</script>'></iframe>",
    "<iframe src='javascript:top.hacked=1'></iframe>",
    "<object data=THERE/o></object><embed src=THERE/e>",
    "<form action=THERE/f><button>go</button></form><button formaction=THERE/g>g</button>",
    "<base href=THERE/><meta http-equiv=refresh content='0;url=THERE/r'>",
    "<link rel=stylesheet href=THERE/c.css><link rel=preconnect href=THERE>",
    "<link rel=prefetch href=THERE/p><link rel=dns-prefetch href=THERE>",
    # CSS
    "<style>body{background:url(THERE/b.png)}</style>",
    "<style>@import 'THERE/i.css';</style>",
    "<p style='background:url(THERE/p.png)'>p</p>",
    "<b class='error waiting' hidden>b</b>",
    # formulas and code
    r"\(\href{javascript:window.hacked=1}{x} \url{javascript:window.hacked=1}\)",
    r"$\includegraphics{THERE/g.png} \style{background:url(THERE/t.png)}{x}$",
    r"$$\text{<img src=x onerror=window.hacked=1>} \class{x' onclick='window.hacked=1}{y}$$",
    r"\[\htmlId{turns}{x} \color{url(THERE/c.png)} \def\x{\x\x}\x\]",
    "```html' onmouseover='window.hacked=1\n<script>window.hacked=1</script>\n```",
    "```constructor\n<img src=x onerror=window.hacked=1>\n```",
    # URLs
    "[l](javascript:window.hacked=1)",
    "[l](JaVaScRiPt:window.hacked=1 'title')",
    "[l](javascript&colon;window.hacked=1)",
    "[l](&#106;avascript:window.hacked=1)",
    "[l](java\tscript:window.hacked=1)",
    "[l](\x01javascript:window.hacked=1)",
    "[l](<javascript:window.hacked=1>)",
    "[l](data:text/html;base64,PHNjcmlwdD50b3AuaGFja2VkPTE8L3NjcmlwdD4=)",
    "[l](vbscript:x) [l](file:///etc/passwd) [l](blob:x) [l](view-source:x) [l](//THERE)",
    "<javascript:window.hacked=1> <data:text/html,x>",
    '[l](THERE/x" onmouseover="window.hacked=1)',
    "[l](THERE/x 'a\" onmouseover=\"window.hacked=1')",
    "![i](THERE/i.png) ![i][r]\n\n[r]: THERE/r.png",
    '![x" onerror="window.hacked=1](THERE/x" onerror="window.hacked=1)',
    "![i](javascript:window.hacked=1) ![i](data:image/svg+xml,<svg/onload=window.hacked=1>)",
    "[![i](THERE/i.png)](javascript:window.hacked=1)",
    "[r]\n\n[r]: javascript:window.hacked=1 '\"><img src=x onerror=window.hacked=1>'",
    "<a href=javascript:window.hacked=1>a</a> <a href='THERE' ping=THERE/ping>a</a>",
    # Markdown
    '```html" onmouseover="window.hacked=1\n</code></pre><img src=x onerror=window.hacked=1>\n```',
    "```<img src=x onerror=window.hacked=1>\nx\n```",
    "`</code><img src=x onerror=window.hacked=1>`",
    "<b>\n\n<img src=x onerror=window.hacked=1>\n\n</b>",
    "<kbd\n onclick=window.hacked=1>k</kbd> <b/onclick=window.hacked=1>b</b>",
    "&lt;img src=x onerror=window.hacked=1&gt; &amp;lt;script&amp;gt;",
    "1. <script>window.hacked=1</script>\n   > <img src=x onerror=window.hacked=1>",
    "| <img src=x onerror=window.hacked=1> | [l](javascript:window.hacked=1) |\n|:-|-:|\n| x | y |",
    "*a**<img src=x onerror=window.hacked=1>***b*",
    "\\<img src=x onerror=window.hacked=1\\>",
    # direction, invisible and odd characters
    "\u202e<img src=x onerror=window.hacked=1>\u202c \u2066\u2067x\u2069",
    "<\u200bscript>window.hacked=1</\u200bscript> \ufeff<img\u00a0src=x>",
    "\U000e0001\U000e0069\U000e006d <\u017fcript>window.hacked=1</\u017fcript> \uff1cscript\uff1e",
    "\x00<img src=x onerror=window.hacked=1>\x1b[31m\x08\x7f\ufffe",
    "<img src=x onerror=window.hacked=1" + "/" * 3000 + ">",
    "`" * 60 + "[" * 60 + "*" * 60 + ">" * 60 + "<b>" * 60,
]  # fmt: skip

CONTEXTS = ["%s", "- %s", "> %s", "# %s", "a *b %s c* d", "| a |\n|---|\n| %s |", "    %s",
            "<b>%s</b>", "[%s](https://example.invalid)", "[x]: <%s>\n\n[x]", "```\n%s",
            "1) %s\n"]  # fmt: skip


def make_texts(there: str) -> list[str]:
    """Return each snippet in each context."""
    return [
        context.replace("%s", snippet.replace("THERE", there))
        for snippet, context in itertools.product(SNIPPETS, CONTEXTS)
    ]


def mix_texts(there: str, count: int, seed: int) -> list[str]:
    """Return texts of several snippets that overlap, each drawn from the seed."""
    rng = random.Random(f"injections/{seed}")  # noqa: S311 - a seed makes every run the same
    texts = []
    for _ in range(count):
        parts = [_cut(rng) for _ in range(3)]
        texts.append("".join(parts).replace("THERE", there))
    return texts


def _cut(rng):
    snippet = rng.choice(CONTEXTS).replace("%s", rng.choice(SNIPPETS))
    start = rng.choice((0, 0, rng.randrange(len(snippet))))
    return snippet[start : rng.choice((None, rng.randint(start, len(snippet))))]
