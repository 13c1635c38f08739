"""Nothing in an answer can run a script or load anything."""

import pytest

HOSTILE = """<script>window.hacked = 1</script>

<img src="THERE/steal-1" onerror="window.hacked = 2">

![seen](THERE/steal-2) ![x](x" onerror="window.hacked=3)

[press](javascript:window.hacked=4) [this](JaVaScRiPt&colon;window.hacked=5)
[too](data:text/html,<script>top.hacked=6</script>) <javascript:window.hacked=7>
[or](vbscript:x) <a href="javascript:window.hacked=8" onclick="window.hacked=9">this</a>

<svg onload="window.hacked=10"><math><mtext><style><img src onerror="window.hacked=11"></style>

<iframe srcdoc="<script>top.hacked=12</script>"></iframe> <form action="THERE/steal-3"><input>

| <b onmouseover="window.hacked=13">cell</b> |
|---|
| <style>body { background: url(THERE/steal-4) }</style> |

```html" onmouseover="window.hacked=14
</code></pre><script>window.hacked = 15</script>
```

<details open ontoggle="window.hacked=16"><sub onclick="window.hacked=17">sub</sub>

$</code><img src=x onerror=window.hacked=19>$ $$\\href{javascript:window.hacked=20}{x}$$
\\(\\text{<img src=x onerror=window.hacked=21>}\\) $\\includegraphics{THERE/steal-6}$
$\\style{background:url(THERE/steal-7)}{x}$ $\\class{x" onclick="window.hacked=22}{y}$
$\\htmlData{a=b}{x}$ $\\id{turns}{x}$ $\\color{red;background:url(THERE/steal-8)}{x}$

```<img/src=x/onerror=window.hacked=23>
<img src=x onerror=window.hacked=24>
```

```__proto__
x
```

```html
<img src=x onerror=window.hacked=25><script>window.hacked=26</script>
```

[ref]: javascript:window.hacked=18
[ref] <base href="THERE/"> <link rel="stylesheet" href="THERE/steal-5"> the end
"""


@pytest.mark.parametrize("part", ["answer", "reasoning"])
def test_nothing_in_an_answer_runs_or_loads(chat, aimlchat_emulator, part):
    there = aimlchat_emulator.base_url
    hostile = HOSTILE.replace("THERE", there)
    reply = {"text": hostile} if part == "answer" else {"text": "Yes.", "reasoning": hostile}
    aimlchat_emulator.reply(**reply)
    chat.ask(HOSTILE)
    chat.wait_for_state("done")
    if part == "reasoning":
        chat.find("summary").click()

    prose = ".answer" if part == "answer" else ".reasoning .prose"
    assert "the end" in chat.find(prose).text
    assert "<script>window.hacked = 1</script>" in chat.find(prose).text
    for link in chat.find_all(f"{prose} a[href]"):
        assert link.get_attribute("href").startswith(there)
        assert link.get_attribute("rel") == "noopener noreferrer"
    inside = chat.run_script(
        "return [...document.querySelector(arguments[0]).querySelectorAll('*')]"
        ".flatMap(node => [node.localName, ...node.getAttributeNames()])",
        prose,
    )
    forbidden = "script img svg style iframe form input details base link object embed"
    assert not set(forbidden.split()) & set(inside)
    assert not [name for name in inside if name.startswith("on")]
    assert not {"id", "src", "annotation-xml", "mglyph", "malignmark"} & set(inside)
    assert chat.run_script("return window.hacked") is None
    assert "steal-6" in chat.find(prose).text
    assert not [request.path for request in aimlchat_emulator.requests if "steal" in request.path]


def test_html_behind_an_open_tag_is_shown_as_text(chat, aimlchat_emulator):
    # No HTML for Markdown, because of the second "=", but HTML for a browser.
    hostile = "<img src=x onerror=window.hacked=1>"
    tags = ["script", "pre", "code", "kbd"]
    aimlchat_emulator.reply("\n\n".join(f"Write <{tag}> and {hostile} &lt;" for tag in tags))
    chat.ask("How?")
    chat.wait_for_state("done")

    assert chat.find(".answer").text.count(f" and {hostile} <") == len(tags)


def test_the_sanitizer_alone_removes_scripts_and_handlers(chat):
    clean = chat.run_script(
        """
        const element = document.createElement('div');
        element.append(DOMPurify.sanitize(arguments[0], SANITIZER_OPTIONS));
        return element.querySelectorAll('[href], [src], [onerror], [onclick], script, img').length;
        """,
        '<img src=x onerror="hacked=1"><a href="javascript:hacked=2" onclick="hacked=3">x</a>'
        "<script>hacked=4</script><svg><a xlink:href='javascript:hacked=5'>x</a></svg>",
    )

    assert clean == 0
    assert chat.run_script("return window.hacked") is None


def test_the_content_security_policy_alone_blocks_scripts_and_requests(chat, aimlchat_emulator):
    script_errors = chat.run_script(
        """
        const node = document.createElement('p');
        return [
          () => { node.innerHTML = '<img src=x onerror="window.hacked = 1">'; },
          () => node.setAttribute('onclick', 'window.hacked = 2'),
          () => { document.createElement('script').text = 'window.hacked = 3'; },
        ].map(attempt => { try { attempt(); } catch (error) { return error.name; } });
        """
    )
    blocked = chat.driver.execute_async_script(
        """
        const [address, done] = arguments;
        addEventListener('securitypolicyviolation', event => done(event.blockedURI));
        new Image().src = address;
        """,
        f"{aimlchat_emulator.base_url}/steal",
    )

    assert script_errors == ["TypeError"] * 3
    assert blocked == f"{aimlchat_emulator.base_url}/steal"
    assert chat.run_script("return window.hacked") is None
    assert not [request.path for request in aimlchat_emulator.requests if "steal" in request.path]
