"""True answers to a few questions that demos are likely to ask."""

from __future__ import annotations

import re

import attrs

__all__ = ["SampleAnswer", "find_sample_answer"]


@attrs.frozen
class SampleAnswer:
    """An answer and the keywords of its question, which contains at least one of each group."""

    keywords: tuple[frozenset[str], ...]
    reasoning: str
    text: str


def _parse_keywords(*groups: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(group.split()) for group in groups)


_SAMPLE_ANSWERS = (
    SampleAnswer(
        _parse_keywords("sky", "blue"),
        "The question is about the color of the sky by day. Air is not blue the way paint is, so"
        " this must be about how it scatters light. Its molecules are far smaller than the"
        " wavelength: that is Rayleigh scattering, and its strength goes with one over the fourth"
        " power of the wavelength. Take blue at 450 nm and red at 700 nm: 700 / 450 is about 1.56,"
        " and 1.56 to the fourth power is about 5.9, so blue is scattered some six times as"
        " strongly. But then violet should win. The sun sends less of it, some is absorbed high"
        " up, and our eyes are weak there. A sunset is a good check: on a long path the blue is"
        " lost on the way and red is left. I will give the cause first, then these two.",
        "The sky is blue because air scatters blue light far more than red light.\n\n"
        "Sunlight holds all colors. On its way down it meets molecules of nitrogen and oxygen,"
        " which are much smaller than the wavelength of light. Such small things scatter short"
        " waves best: the strength goes with **1/λ⁴**, so blue light (about 450 nm) is scattered"
        " nearly six times as strongly as red light (about 700 nm). The scattered blue then"
        " reaches your eyes from every part of the sky. This is called **Rayleigh scattering**.\n\n"
        "It explains two more things:\n\n"
        "- **Why not violet?** The sun gives off less violet than blue, the upper air absorbs"
        " some of it, and our eyes are less sensitive to it.\n"
        "- **Why are sunsets red?** Low sunlight crosses far more air. Most of the blue is"
        " scattered out of the beam on the way, and red and orange are what is left.",
    ),
    SampleAnswer(
        _parse_keywords("sea ocean oceans seawater", "salty salt"),
        "Where does the salt come from, and why does it stay? Rain is slightly acid and dissolves"
        " minerals out of rock, and rivers carry the ions to the sea; vents on the sea floor add"
        " more. Water leaves again by evaporation, the salt does not. About 35 grams in a"
        " kilogram, mostly sodium and chloride. It is steady today since as much is bound in"
        " sediment as comes in.",
        "The sea is salty because rivers bring salt in and only pure water goes out.\n\n"
        "Rain is slightly acid and dissolves minerals out of rock. Rivers carry them to the sea,"
        " and hot vents on the sea floor add more. When seawater evaporates, the salt stays"
        " behind. Over a very long time this has added up to about **35 grams of salt in each"
        " kilogram** of water, most of it sodium and chloride. It no longer rises, because about"
        " as much is buried in sediment as arrives.",
    ),
    SampleAnswer(
        _parse_keywords("seasons season summer winter", "why cause causes"),
        "The common wrong answer is the distance from the sun; but the earth is nearest in January,"
        " in the northern winter. It is the tilt of the axis, about 23.4 degrees. Two effects: the"
        " sun stands higher, so its light is less spread out, and the days are longer. The"
        " hemispheres must then have opposite seasons, which they do.",
        "Seasons come from the tilt of the earth's axis, about **23.4°**, and not from its distance"
        " to the sun.\n\nThe half of the earth that leans toward the sun gets light from a higher"
        " sun, which is less spread out over the ground, and its days are longer: summer. Half a"
        " year later it leans away. That is why the two hemispheres have opposite seasons, and why"
        " the north can have its winter while the earth is closest to the sun, in January.",
    ),
    SampleAnswer(
        _parse_keywords("rainbow rainbows"),
        "A rainbow needs sun behind the viewer and drops in front. Light is bent on entering a"
        " drop, reflected at its back, and bent again on leaving; the angle is about 42 degrees for"
        " red and 40 for violet. So each color comes from drops at its own angle, which makes an"
        " arc around the point opposite the sun.",
        "A rainbow is sunlight that raindrops have bent, reflected and spread out.\n\nLight is"
        " refracted as it enters a drop, reflected at the back of it, and refracted again as it"
        " leaves. Each color leaves at its own angle, about **42°** for red and **40°** for violet,"
        " measured from the point opposite the sun. All drops at the same angle lie on a circle,"
        " so you see an arc, with red outside. You need the sun behind you and rain in front.",
    ),
    SampleAnswer(
        _parse_keywords("tide tides"),
        "Tides: the moon's pull is stronger on the near side of the earth than on the far side. The"
        " difference stretches the oceans along the line to the moon, so there are two bulges and"
        " mostly two high tides a day, about 12 hours and 25 minutes apart since the moon moves on."
        " The sun does the same at a little under half the strength.",
        "Tides come from the difference of the moon's pull across the earth.\n\nThe side that faces"
        " the moon is pulled more than the center, and the far side less. This stretches the oceans"
        " into two bulges, and the earth turns beneath them: most coasts have **two high tides a"
        " day**, about 12 hours and 25 minutes apart. The sun does the same at nearly half the"
        " strength. At new and full moon the two add up to spring tides.",
    ),
)

_GREETING = SampleAnswer(
    _parse_keywords("hello hi hey"),
    "The user greets me. A short and friendly greeting is enough, and it should say what is"
    " speaking here, so that I am not mistaken for a model.",
    "Hello! This is the emulator, not a model, but I answer as one would: ask me why the sky is"
    " blue, or try tools, a JSON schema or a stop sequence.",
)

# A greeting counts only in a short prompt; the keywords of the other answers are specific enough.
_MAX_GREETING_WORDS = 3


def find_sample_answer(prompt: str) -> SampleAnswer | None:
    """Find the answer whose keywords the prompt contains; None if there is none."""
    words = set(re.findall(r"[a-z]+", prompt.lower()))
    for sample in _SAMPLE_ANSWERS:
        if all(words & group for group in sample.keywords):
            return sample
    if words & _GREETING.keywords[0] and len(words) <= _MAX_GREETING_WORDS:
        return _GREETING
    return None
