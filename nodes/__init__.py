"""The nodes: each resolves names, calls the library, returns."""

from comfy_api.latest import ComfyExtension, io

from .audio_encoder import LoadAudioEncoder
from .conversation import EMOConversation
from .deep_cache import EMODeepCache
from .example import EMOExample
from .face_region import FaceRegionMask
from .frames_to_video import FramesToVideo
from .head_speed import EMOHeadSpeed
from .load_lora import EMOLoadLora
from .load_model import LoadEMOModel
from .managed.files import register_folder
from .managed.routes import register_routes
from .paste_back import EMOPasteBack
from .reference import ReferenceNetEncode
from .sampler import EMOSampler


class EMOExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            LoadEMOModel,
            EMOLoadLora,
            EMODeepCache,
            LoadAudioEncoder,
            FaceRegionMask,
            ReferenceNetEncode,
            EMOHeadSpeed,
            EMOConversation,
            EMOSampler,
            FramesToVideo,
            EMOPasteBack,
            EMOExample,
        ]


async def comfy_entrypoint() -> EMOExtension:
    register_folder()
    register_routes()
    return EMOExtension()
