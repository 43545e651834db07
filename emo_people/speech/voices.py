"""Whose voice speaks: flite's recordings, and espeak-ng's accents with their variants."""

# The name of an accent, as a voice gives it, and espeak-ng's file.
ACCENTS: dict[str, str] = {
    "en": "gmw/en-US", "en-us": "gmw/en-US", "en-gb": "gmw/en", "en-gb-scotland": "gmw/en-GB-scotland",
    "en-gb-rp": "gmw/en-GB-x-rp", "ar": "sem/ar", "cs": "zlw/cs", "de": "gmw/de", "el": "grk/el",
    "es": "roa/es", "es-419": "roa/es-419", "fi": "urj/fi", "fr": "roa/fr", "fr-be": "roa/fr-BE",
    "fr-ch": "roa/fr-CH", "hi": "inc/hi", "it": "roa/it", "ja": "jpx/ja", "ko": "ko", "nl": "gmw/nl",
    "pl": "zlw/pl", "pt": "roa/pt", "pt-br": "roa/pt-BR", "ru": "zle/ru", "sv": "gmq/sv", "sw": "bnt/sw",
    "tr": "trk/tr", "vi": "aav/vi", "zh": "sit/cmn-Latn-pinyin",
}  # fmt: skip
# espeak-ng's variants that sound like people, not like machines and not whispering.
VARIANTS: tuple[str, ...] = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt2", "klatt4",
    "Alex", "Alicia", "Andrea", "Annie", "Diogo", "Gene", "Mario", "Michael", "adam", "anika", "antonio",
    "ed", "grandma", "grandpa", "linda", "max", "quincy", "steph", "travis", "victor",
)  # fmt: skip
HELD_OUT_VARIANTS: tuple[str, ...] = ("m1", "f5", "Annie", "Diogo", "linda", "max", "travis")
RECORDED: tuple[str, ...] = ("rms", "awb", "kal16", "slt")

# The demo model's voices: all English, drawn by their place in these tuples.
VOICES: tuple[str, ...] = (
    "flite:rms",
    "flite:awb",
    "flite:kal16",
    "flite:slt",
    "espeak:en-us+m1",
    "espeak:en-us+m3",
    "espeak:en-us+f1",
    "espeak:en-us+f4",
    "espeak:en-us+klatt2",
    "espeak:en-gb+m7",
    "espeak:en-gb+f2",
    "espeak:en-gb+f5",
    "espeak:en-gb-scotland+m2",
    "espeak:en-gb-scotland+f3",
)
HELD_OUT_VOICES: tuple[str, ...] = ("flite:slt", "espeak:en-gb+f5", "espeak:en-us+m1")
TRAINING_VOICES: tuple[str, ...] = tuple(voice for voice in VOICES if voice not in HELD_OUT_VOICES)


def check_voice(voice: str) -> None:
    """Raises ValueError with the choices unless `voice` is flite:NAME or espeak:ACCENT, maybe +VARIANT."""
    engine, _, name = voice.partition(":")
    accent, plus, variant = name.partition("+")
    if engine == "espeak" and accent not in ACCENTS:
        raise ValueError(f"unknown language {accent!r} in {voice!r}: choose one of {', '.join(ACCENTS)}")
    if engine == "espeak" and plus and variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r} in {voice!r}: choose one of {', '.join(VARIANTS)}")
    if engine != "espeak" and (engine != "flite" or name not in RECORDED):
        recorded = ", ".join(f"flite:{name}" for name in RECORDED)
        raise ValueError(f"unknown voice {voice!r}: choose {recorded} or espeak:LANGUAGE, say espeak:de+f2")


def voices_in(language: str, held_out: bool = False) -> tuple[str, ...]:
    """The espeak-ng voices of a language such as "de": each of its accents with each variant of the split."""
    accents = [accent for accent in ACCENTS if accent.split("-")[0] == language]
    variants = HELD_OUT_VARIANTS if held_out else [v for v in VARIANTS if v not in HELD_OUT_VARIANTS]
    return tuple(f"espeak:{accent}+{variant}" for accent in accents for variant in variants)
