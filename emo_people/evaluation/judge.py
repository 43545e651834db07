"""What makes the films of cases and reads them."""

from dataclasses import dataclass
from pathlib import Path

from emo_training.perception.faces import PeopleAnalyzer

from ..filming.people_cases import CaseFiles, PersonCase
from ..networks.fit import Log
from .gallery import Gallery
from .person_figures import PersonFigures, measure_person
from .person_films import Animate, Seen, Speed, film_case


@dataclass(frozen=True)
class Judge:
    """Makes films in clips of so many frames, `zeroed` without the speed layers, and reads them; cases lie in
    a folder, films in another."""

    animate: Animate
    zeroed: Animate
    clip_frames: int
    analyzer: PeopleAnalyzer
    cases: Path
    films: Path
    log: Log

    def film(self, case: PersonCase, name: str, speed: Speed, zeroed: bool = False) -> Seen:
        animate, film = self.zeroed if zeroed else self.animate, self.films / name
        return film_case(animate, self.analyzer, self.files(case), film, speed)[1]

    def measure(self, case: PersonCase, gallery: Gallery | None) -> PersonFigures:
        files = self.files(case)
        film = self.films / f"{case.seed}.mp4"
        prepared, seen = film_case(self.animate, self.analyzer, files, film, case.head_speed)
        top1 = None if gallery is None else gallery.is_top1(case.seed, seen)
        return measure_person(case, files, prepared, seen, self.analyzer, self.clip_frames, top1)

    def files(self, case: PersonCase) -> CaseFiles:
        return CaseFiles(case.folder(self.cases))
