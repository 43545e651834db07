"""What espeak-ng calls its phonemes, in the alphabet of `alphabet.py`.

A mnemonic means the same sound in nearly all languages; `_DIFFERENT` lists where it does not. Length, stress,
aspiration, palatal off-glides and emphasis are left out: the mouth does not show them.
"""

from collections.abc import Mapping

# Phonemes: the mnemonics that stand for them.
_COMMON = {
    "pau": "_ _: _:: _! _| _^_ _;_ _X1 ||",
    # Vowels.
    "a": "a a# a#2 a- a. a/ a2 a: aa A#", "aa": "A A: 0 0#", "ae": "& &/ &:", "ah": "V",
    "ao": "O O# O+ O- O2 O:", "ax": "3 3: @ @# @- @2 @3 @5 @:", "e": "e e# e- e/ e:",
    "eh": "E E# E% E- E2 E3 E:", "er": "@r", "ih": "I I# I2 I2# I: I^ i.", "iy": "i i# i/ i2 i:",
    "o": "o o# o- o/ o:", "uh": "U U: u.", "uw": "u u# u1 u2 u:", "ue": "y y- y:", "oe": "Y Y:",
    "oeh": "W W2", "ux": 'u- u" 8', "ix": "i[", "aa~": "A~ V~ a~ &~", "eh~": "E~ e~", "oe~": "W~",
    "ao~": "O~ o~", "iy~": "I~ i~", "uw~": "U~ u~", "ay": "aI aI2 ai a:I", "aw": "aU au Au a:U VU",
    "ey": "eI EI ei", "ow": "oU oU# ou", "oy": "OI OY oI oi Oi", "ae ih": "&i", "ae ue": "&y",
    "aa~ uw~": "&U~", "ao~ iy~": "oI~", "ax ih": "@I @:I", "ax uh": "@U @:U", "ay ax": "aI@ aI3",
    "ow ax": "oU@", "aw ax": "aU@", "aa er": "A@", "ao er": "O@ o@", "eh er": "e@", "ah er": "VR",
    "ax l": "@L", "e uh": "EU eU eu", "e ue": "ey", "iy ax": "i@ i@3 iR", "iy uh": "iU iu", "iy ue": "iy",
    "iy e": "ie", "iy eh": "iE", "oe ih": "Yi", "oe ue": "Yy", "oeh ue": "Wy", "uh ax": "UR U@",
    "uw ih": "uI ui", "ue ih": "yi yI", "ue uh": "yU", "ue oe": "yY", "uw o": "uo", "uw ax": "u@",
    # Lips.
    "p": "p p# p- p2 ph", "b": "b b#", "m": "m m- m;", "f": "f", "v": "v", "vh": "v#", "ph": "p\\",
    "bh": "B", "p f": "pF", "w": "w w/ w2 w#", "w;": "j.",
    # Teeth and the ridge behind them.
    "t": "t t# t- t2 t3 t; t[ th", "d": "d d# d- d; d[ dH d_", "dx": "* ** r`", "n": "n n- n2 n_", "th": "T",
    "dh": "D D2", "s": "s s# s- s2 s[ z# z/2", "s s": "ss", "z": "z z2 z3", "ts": "ts ts2 t_s tsh",
    "dz": "dz", "l": "l l- l/ l/2 l/3 l2 l: L L/", "lh": "l#", "rr": "r r- r/ r: R R2 R3", "r": "IR",
    "rz": "R^ R^/", "sh": "S S~", "zh": "Z", "ch": "tS tS~", "jh": "dZ dZ~",
    # The tongue curled back, then raised to the palate.
    "t.": "t. t.#", "d.": "d. d.#", "n.": "n.", "s.": "s.", "z.": "z.", "ch.": "ts. ts.h cr", "l.": "l.",
    "r.": "r.", "s;": "S; s; s\\", "z;": "Z; z;", "ch;": "tS; tS;- tS;h t_s\\ ts;", "jh;": "dZ; d_z\\ dz;",
    "x;": "C", "t;": "c c#", "d;": "J J#", "n;": "n^ n#", "l;": "l^", "y": "j j/ ; _j J^",
    "y a": "ja ja# I3 V#", "y uw": "ju",
    # Back of the mouth and throat.
    "k": "k k# k- k~ kh", "g": "g g# g~ G", "ng": "N N- N\\", "x": "x X", "gh": "Q Q^ Q~ gH", "xw": "sx",
    "kk": "q q-", "rh": 'r" Q" R4 r/2 r2', "q": "?", "hh": "h H #X1 #X2",
}  # fmt: skip
_DIFFERENT: dict[str, dict[str, str]] = {
    # English in the forty symbols that flite has, with the vowels of its own names.
    "en": {
        "pau": "?", "aa": "A: 0 02 A", "ae": "a aa", "ah": "V", "ao": "O: O O2", "ax": "@ @2 @5 @- a#",
        "eh": "E e E2 e#", "er": "3 3: VR IR", "iy": "i i:", "ow": "oU", "uh": "U", "ih er": "i@3",
        "uh er": "U@", "ay er": "aI3", "l": "L l#", "r": "r r-", "t": "* t# t2", "k": "x", "z": "z#",
    },
    "ar": {"dh": "Z", "hq": "H", "gq": "A", "ax": "a."},
    "zh": {
        "ah": "o-", "ix": "i. i[", "y aa": "iA", "y aw": "iAu", "y eh": "iE", "y o": "io", "y ow": "iou",
        "o ng": "ong", "w aa": "uA", "w a": "ua", "w ay": "uai", "w ax": "u@", "w ey": "uei", "w ao": "uo",
        "ue o": "yu", "ue ae": "y&", "ue eh": "yE", "ue ax": "y@", "ue iy": "yi",
    },
    "cs": {"ih": "y"},
    "de": {"x;": "g#"},
    "fr": {"rh": "r r/"},
    "hi": {"dx": "R", "vh": "v", "ch;": "c c#", "jh;": "J J#", "r.": "r."},
    "ja": {"eu": "u"},
    "ko": {"ah": "@", "k": "q q-", "eu": "u-"},
    "nl": {"q": "!"},
    "pl": {"ix": "y"},
    "pt": {"ah": "& &/", "ix": "y i/", "sh": "s#", "rh": "x"},
    "pt-br": {"ah": "& &/", "ih": "y"},
    "ru": {"ah": "V", "ix": "y", "ih": "I3", "s": "s;", "o": "8"},
    "sv": {"ax": "E-"},
    "tr": {"eu": "@", "e": "E"},
    "vi": {"ix": "y u-", "ix ax": "y@", "w iy": "yI", "w ae": "o&", "uw ax": "o@", "x": "kh"},
}  # fmt: skip


def _by_mnemonic(mnemonics: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(phonemes.split()) for phonemes, names in mnemonics.items() for name in names.split()}


_TABLES = {accent: _by_mnemonic(_COMMON) | _by_mnemonic(own) for accent, own in _DIFFERENT.items()}
_TABLES[""] = _by_mnemonic(_COMMON)


def phonemes_of(mnemonic: str, accent: str) -> tuple[str, ...]:
    """The phonemes that espeak-ng means by `mnemonic` in an accent such as "pt-br".

    Raises ValueError naming a mnemonic that nobody has translated.
    """
    language = accent.split("-")[0]
    table = _TABLES.get(accent) or _TABLES.get(language) or _TABLES[""]
    if mnemonic not in table:
        raise ValueError(f"espeak-ng gave the phoneme {mnemonic!r} in {accent}: add it to mnemonics.py")
    return table[mnemonic]
