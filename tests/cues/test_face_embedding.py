"""Whatever a face embedding comes in: as meant, or refused with what came."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from emo_modules.config import EMOConfig
from emo_modules.cues.face_embedding import face_embedding
from emo_modules.families.table import RELEASES

HALLO = RELEASES["hallo"].config
VALUES = np.random.default_rng(0).normal(size=512).astype(np.float32)
OTHER = VALUES[::-1].copy()
PICTURE = torch.rand(40, 60, 3, generator=torch.Generator().manual_seed(0))
LOG = logging.getLogger("emo_modules")


class Face(dict):
    """As insightface's: a dictionary whose keys are attributes, and None for what it does not know."""

    def __getattr__(self, name: str):
        if name == "normed_embedding":
            return None if self.embedding is None else self.embedding / np.linalg.norm(self.embedding)
        return self.get(name)


class Analysis:
    """As insightface's FaceAnalysis."""

    def __init__(self, *answers: list[Face], network: str = "/models/antelopev2/glintr100.onnx"):
        self.models = {"recognition": SimpleNamespace(model_file=network)}
        self.answers, self.seen = list(answers), []

    def get(self, picture: np.ndarray) -> list[Face]:
        self.seen.append(picture)
        return self.answers.pop(0)


def face(values: np.ndarray = VALUES, side: float = 20.0) -> Face:
    return Face(bbox=np.float32([10, 10, 10 + side, 10 + side]), embedding=values)


def read(source: object, config: EMOConfig = HALLO) -> Tensor | None:
    return face_embedding(source, PICTURE, config, LOG)


@pytest.mark.parametrize(
    "source",
    [
        VALUES.tolist(),
        tuple(VALUES),
        VALUES,
        VALUES.astype(np.float64)[None],
        torch.from_numpy(VALUES),
        torch.from_numpy(VALUES)[None, None],
        torch.from_numpy(VALUES).requires_grad_(),
        [torch.from_numpy(VALUES)[None]],
        (VALUES,),
        face(),
        [face()],
        {"embedding": VALUES},
        SimpleNamespace(embedding=VALUES),
        [face(OTHER, 10), face(VALUES, 30)],
        [SimpleNamespace(embedding=VALUES, normed_embedding=VALUES / 20)],
        Analysis([face(OTHER, 10), face(VALUES, 30)]),
        {"library": "insightface", "detector": Analysis([face()])},
    ],
)
def test_an_embedding_is_taken_out_of_what_it_comes_in(source):
    found = read(source)
    assert found.shape == (1, 512)
    assert (found.dtype, found.requires_grad) == (torch.float32, False)
    assert torch.allclose(found[0], torch.from_numpy(VALUES))


@pytest.mark.parametrize("source", [[VALUES, OTHER], torch.from_numpy(np.stack([VALUES, OTHER]))])
def test_of_several_embeddings_the_first_counts(source, caplog):
    assert torch.equal(read(source)[0], torch.from_numpy(VALUES))
    assert "2 face embeddings given, one is needed: the first is used" in caplog.text


@pytest.mark.parametrize(
    "source",
    [
        VALUES / np.linalg.norm(VALUES),
        SimpleNamespace(normed_embedding=VALUES / np.linalg.norm(VALUES)),
        {"normed_embedding": VALUES / np.linalg.norm(VALUES)},
    ],
)
def test_a_normalised_embedding_is_brought_to_the_length_that_the_weights_know(source, caplog):
    found = read(source)[0]
    assert found.norm() == pytest.approx(512**0.5, rel=1e-4)
    assert torch.cosine_similarity(found, torch.from_numpy(VALUES), dim=0) == pytest.approx(1, abs=1e-5)
    assert "the face embedding is normalised (length 1.00), but hallo was trained with" in caplog.text
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    ("source", "got"),
    [
        ([0.5] * 511, "511"),
        (VALUES[:128], "128"),
        (torch.ones(2, 256), "2 x 256"),
        (np.where(VALUES > 2, np.nan, VALUES), "512 of which some are not finite"),
        (torch.full((1, 512), torch.inf), "512 of which some are not finite"),
        ([], "0"),
        (3.5, "1"),
        ("face.png", "something without numbers"),
        ({"cond": VALUES, "uncond": VALUES}, "something without numbers"),
        (Face(bbox=np.zeros(4)), "something without numbers"),
        ([[1.0], [1.0, 2.0]], "something without numbers"),
        (object(), "something without numbers"),
        (Analysis([face(VALUES[:128])]), "128"),
    ],
)
def test_anything_else_is_refused_with_what_came(source, got):
    with pytest.raises(ValueError, match="identity is a face embedding of 512 finite numbers, got") as raised:
        read(source)
    assert f"got {got}: connect insightface's embedding" in str(raised.value)


@pytest.mark.parametrize("source", [None, [0.0] * 512, Analysis([], [])])
def test_without_one_a_warning_says_what_is_lost(source, caplog):
    assert read(source) is None
    last = caplog.records[-1]
    assert last.levelname == "WARNING"
    assert "hallo has no face embedding (identity)" in last.getMessage()
    assert "guidance does not hold the likeness" in last.getMessage()


def test_weights_that_read_none_say_so(caplog):
    assert read(VALUES, EMOConfig()) is None
    assert "emo-sd15 reads no face embedding: identity is ignored" in caplog.text
    caplog.clear()
    assert read(None, EMOConfig()) is None
    assert not caplog.records


def test_an_analysis_sees_the_portrait_as_bgr_bytes_and_once_more_with_room_around_it():
    analysis = Analysis([], [face()])
    read(analysis)
    close, far = analysis.seen
    assert (close.dtype, close.shape, far.shape) == (np.uint8, (40, 60, 3), (80, 120, 3))
    assert np.array_equal(close, (PICTURE * 255).round().byte().flip(-1).numpy())
    assert np.array_equal(far[20:60, 30:90], close)


def test_an_analysis_with_another_network_is_used_with_a_warning(caplog):
    assert read(Analysis([face()], network="buffalo_l/w600k_r50.onnx")) is not None
    assert "reads faces with w600k_r50.onnx, but the weights were trained with antelopev2" in caplog.text
