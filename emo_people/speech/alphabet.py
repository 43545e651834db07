"""The phoneme alphabet in which every synthesizer and language is written down.

Its first forty symbols are flite's English ones, which the demo model's audio encoder knows by index. The
others are spelled likewise: "." marks a retroflex sound, ";" a palatal one and "~" a nasal vowel.
"""

_ENGLISH = {
    "pau": "", "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "ay": "aɪ", "eh": "ɛ",
    "er": "ɝ", "ey": "eɪ", "ih": "ɪ", "iy": "i", "ow": "oʊ", "oy": "ɔɪ", "uh": "ʊ", "uw": "u",
    "b": "b", "ch": "tʃ", "d": "d", "dh": "ð", "f": "f", "g": "ɡ", "hh": "h", "jh": "dʒ", "k": "k", "l": "l",
    "m": "m", "n": "n", "ng": "ŋ", "p": "p", "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t", "th": "θ", "v": "v",
    "w": "w", "y": "j", "z": "z", "zh": "ʒ",
}  # fmt: skip
_OTHER_VOWELS = {
    "a": "a", "e": "e", "o": "o", "ue": "y", "oe": "ø", "oeh": "œ", "ix": "ɨ", "ux": "ʉ", "eu": "ɯ",
    "aa~": "ɑ̃", "eh~": "ɛ̃", "oe~": "œ̃", "ao~": "ɔ̃", "iy~": "ĩ", "uw~": "ũ",
}  # fmt: skip
_OTHER_CONSONANTS = {
    "ts": "ts", "dz": "dz", "t;": "c", "d;": "ɟ", "ch;": "tɕ", "jh;": "dʑ", "t.": "ʈ", "d.": "ɖ", "ch.": "ʈʂ",
    "kk": "q", "q": "ʔ", "ph": "ɸ", "bh": "β", "vh": "ʋ", "s;": "ɕ", "z;": "ʑ", "s.": "ʂ", "z.": "ʐ",
    "x;": "ç", "x": "x", "xw": "ɧ", "gh": "ɣ", "hq": "ħ", "gq": "ʕ", "lh": "ɬ", "l;": "ʎ", "l.": "ɭ",
    "n;": "ɲ", "n.": "ɳ", "rr": "r", "dx": "ɾ", "r.": "ɽ", "rz": "r̝", "rh": "ʁ", "w;": "ɥ",
}  # fmt: skip
IPA: dict[str, str] = _ENGLISH | _OTHER_VOWELS | _OTHER_CONSONANTS

ENGLISH_PHONEMES: tuple[str, ...] = tuple(_ENGLISH)
PHONEMES: tuple[str, ...] = tuple(IPA)
VOWELS = frozenset(ENGLISH_PHONEMES[1:17]) | frozenset(_OTHER_VOWELS)
STOPS = frozenset(
    ("b", "ch", "d", "g", "jh", "k", "p", "t", "ts", "dz", "t;", "d;", "ch;", "jh;", "t.", "d.", "ch.", "kk")
)
