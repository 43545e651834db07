"""What makes a report's figures look better, or surer, than they are: sentences for its page."""

from collections.abc import Iterator, Sequence

from ..perception.rates import FPS
from .feature_nets import WINDOW
from .figures import Figure
from .measure import MeasuredPair

FEW_GROUPS = 10  # from which on a bootstrap's intervals are about right


def caveats(figures: Sequence[Figure], pairs: Sequence[MeasuredPair], generated_here: bool) -> list[str]:
    """`generated_here`: the model was run by `evaluate shards`, so that it is known what it was given."""
    measured = {figure.metric for figure in figures if figure.value is not None}
    return [_about_intervals(pairs), *_about_inputs(measured, generated_here), *_about_networks(measured)]


def _about_intervals(pairs: Sequence[MeasuredPair]) -> str:
    groups = len({pair.group for pair in pairs})
    whose = "people" if any(pair.person for pair in pairs) else "clips, each taken for another person's"
    if groups == 1:
        return f"{len(pairs)} clips of one person: nothing is known of others, and there are no intervals."
    said = f"Intervals hold 95 % of what {groups} such {whose}, drawn again with replacement, would give."
    return f"{said} With fewer than {FEW_GROUPS} they are too narrow." if groups < FEW_GROUPS else said


def _about_inputs(measured: set[str], generated_here: bool) -> Iterator[str]:
    frame = (
        "The portrait is the first frame of the true clip"
        if generated_here
        else "If the portrait was the first frame of the true clip, as in most papers"
    )
    yield (
        f"{frame}: pose, light and background are right from the start, and so is the face that identity is "
        "compared with. A portrait from elsewhere is harder."
    )
    if "Head speed" in measured:
        told = "The model was told" if generated_here else "If the model was told"
        yield (
            f"{told} the mean head speed of the true clip: head speed then measures whether it obeys, not "
            "whether it knows how one moves with this sound."
        )


def _about_networks(measured: set[str]) -> Iterator[str]:
    if "FVD" in measured:
        yield (
            f"FVD sees windows of {WINDOW} frames ({WINDOW / FPS:.2f} s) that do not overlap: drift and "
            "repetition over a longer time do not count. Papers differ in windows and their number."
        )
    if measured & {"FID", "FVD"}:
        yield (
            "Frames of one clip are alike: FID and FVD of few clips say how these look, not how the model "
            "does. Both shrink as clips are added; compare equal numbers."
        )
    if "LSE-C" in measured:
        yield "Lips are cut out by this report's boxes; published LSE-C and LSE-D are of S3FD's."
