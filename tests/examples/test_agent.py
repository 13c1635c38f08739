"""The agent in docs/examples: two tools, one of which a person has to approve."""

import builtins

import pytest

QUESTION = "Do I need an umbrella in Ulm? Tell Ada by email."


@pytest.mark.parametrize(("reply", "sent"), [("y", 1), ("n", 0), ("", 0)])
async def test_the_agent_sends_only_what_a_person_approves(
    example, monkeypatch, capsys, reply, sent
):
    prompts = []
    monkeypatch.setattr(builtins, "input", lambda prompt: prompts.append(prompt) or reply)
    program = example("agent.py")

    await program["answer"](QUESTION)

    printed = capsys.readouterr().out
    assert len(program["OUTBOX"]) == sent
    assert len(prompts) == 1
    assert "send_email({" in prompts[0]
    assert '[get_weather: {"city": "Ulm"' in printed
    assert ("[send_email: Sent to" in printed) == bool(sent)
    assert ("does not want" in printed) != bool(sent)
    assert "\n2 rounds, " in printed
